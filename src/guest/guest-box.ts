/**
 * A box, or a container of a pod, as its agent serves it: the routes that both have.
 *
 * @module
 */
import type { ProcessSpec, Resources } from '@a3s-box/policies';
import { expectProtocol } from './expect-protocol.ts';
import { GuestFiles } from './guest-files.ts';
import type { RequestConnection } from './http2-connection.ts';
import { type OutputReader, openOutput } from './output.ts';
import {
  Exit,
  GuestState,
  MAIN,
  Process,
  type ProcessEntry,
  ProcessId,
  ProcessList,
  type ShareChange,
  ShareChanges,
  ShareChangesTaken,
  StartProcess,
  Stats,
  type TerminalSize,
} from './protocol.ts';
import { nothing, PROMPT_MS, prompt, SETUP_MS, STATE_BYTES } from './request-options.ts';
import { StdinWriter } from './stdin.ts';

const TOP_BYTES = 8 * 1024 * 1024;
const STATS_BYTES = 256 * 1024;

/** A process that was started, with its output and its exit. */
export interface LaunchedProcess {
  readonly process: Process;
  /** From its first byte on. */
  readonly output: OutputReader;
  /** The same as `exit` gives. It may be ignored. */
  readonly exit: Promise<Exit>;
}

export interface StartOptions {
  /**
   * The process has a control group of its own, so that SIGKILL by its id ends all that it started.
   * Protocol 4.
   */
  readonly group?: boolean;
  /** The process has all capabilities. Protocol 7. */
  readonly privileged?: boolean;
}

/** Every method rejects as those of `Guest` do. */
export class GuestBox {
  /** The files of the box. */
  readonly files: GuestFiles;
  protected readonly requests: RequestConnection;

  constructor(requests: RequestConnection) {
    this.requests = requests;
    this.files = new GuestFiles(requests);
  }

  /** The state that a new host needs to adopt the box. */
  state(signal?: AbortSignal): Promise<GuestState> {
    const options = { signal, deadlineMs: PROMPT_MS, answerBytes: STATE_BYTES };
    return this.requests.call('GET', '/v1/state', undefined, GuestState, options);
  }

  /** Starts the box's main process, once. */
  startMain(signal?: AbortSignal): Promise<Process> {
    const options = { signal, deadlineMs: SETUP_MS };
    return this.requests.call('POST', `${path(MAIN)}/start`, undefined, Process, options);
  }

  /** Starts one more process in the box. The id is the caller's: lower-case letters and digits. */
  async startProcess(
    id: string,
    process: ProcessSpec,
    signal?: AbortSignal,
    { group = false, privileged = false }: StartOptions = {},
  ): Promise<Process> {
    if (group) expectProtocol(this.requests, 4, 'a process with a control group of its own');
    if (privileged) expectProtocol(this.requests, 7, 'a privileged process');
    const more = { ...(group ? { group } : {}), ...(privileged ? { privileged } : {}) };
    const body = StartProcess.parse({ id, process, ...more });
    const options = { signal, deadlineMs: SETUP_MS };
    return this.requests.call('POST', '/v1/processes', body, Process, options);
  }

  /**
   * Starts one more process, reads its output and waits for its exit. With an agent of protocol 2
   * all requests are sent at once. Rejects with the reason for which the start was refused.
   */
  async launch(
    id: string,
    process: ProcessSpec,
    signal?: AbortSignal,
    how: StartOptions = {},
  ): Promise<LaunchedProcess> {
    if (this.requests.version === 1) {
      const started = await this.startProcess(id, process, signal, how);
      const output = await this.output(id, 0, signal);
      return { process: started, output, exit: unwatched(this.exit(id, signal)) };
    }
    const starting = this.startProcess(id, process, signal, how);
    const reading = unwatched(this.output(id, 0, signal));
    const exit = unwatched(this.exit(id, signal));
    try {
      const started = await starting;
      return { process: started, output: await reading, exit };
    } catch (error) {
      reading.then(
        (output) => output.close(),
        () => undefined,
      );
      throw error;
    }
  }

  process(id: string, signal?: AbortSignal): Promise<Process> {
    return this.requests.call('GET', path(id), undefined, Process, prompt(signal));
  }

  /** Waits until the process has exited and its output is complete, however long that takes. */
  exit(id: string, signal?: AbortSignal): Promise<Exit> {
    return this.requests.call('GET', `${path(id)}/exit`, undefined, Exit, { signal });
  }

  /** The process's output from `offset` on. A new reader displaces the old one. */
  async output(id: string, offset: number, signal?: AbortSignal): Promise<OutputReader> {
    return await openOutput(this.requests, path(id), offset, signal);
  }

  /**
   * The process's input. One writer at a time: a second one fails with `conflict`. Throws
   * `agent-failed` at once when the connection is gone.
   */
  stdin(id: string): StdinWriter {
    return new StdinWriter(this.requests, `${path(id)}/stdin`);
  }

  /** `signal` is a name with `SIG`, or a number. `conflict` when the process has exited. */
  async signal(id: string, signal: string): Promise<void> {
    await this.requests.call('POST', `${path(id)}/signal`, { signal }, nothing, prompt());
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    await this.requests.call('POST', `${path(id)}/resize`, size, nothing, prompt());
  }

  /** Makes the agent forget an exec that has exited, with its output. */
  async forget(id: string): Promise<void> {
    await this.requests.call('DELETE', path(id), undefined, nothing, prompt());
  }

  /** Whether the agent supports this version of the protocol. */
  speaks(version: number): boolean {
    return (this.requests.version ?? 0) >= version;
  }

  /** Waits until the process has exited, whether or not its output is complete. Protocol 4. */
  async ended(id: string, signal?: AbortSignal): Promise<Exit> {
    expectProtocol(this.requests, 4, 'the end of a process whose output goes on');
    return await this.requests.call('GET', `${path(id)}/ended`, undefined, Exit, { signal });
  }

  /**
   * Applies all of these limits to the box from now on, as a spec does. `ulimits` apply to later
   * processes. Protocol 4.
   */
  async putResources(resources: Resources, signal?: AbortSignal): Promise<void> {
    expectProtocol(this.requests, 4, 'other limits');
    await this.requests.call('PUT', '/v1/resources', resources, nothing, prompt(signal));
  }

  /** The processes of the box. Protocol 4. */
  async top(signal?: AbortSignal): Promise<readonly ProcessEntry[]> {
    expectProtocol(this.requests, 4, 'the list of its processes');
    const options = { ...prompt(signal), answerBytes: TOP_BYTES };
    return (await this.requests.call('GET', '/v1/top', undefined, ProcessList, options)).processes;
  }

  stats(signal?: AbortSignal): Promise<Stats> {
    const options = { ...prompt(signal), answerBytes: STATS_BYTES };
    return this.requests.call('GET', '/v1/stats', undefined, Stats, options);
  }

  /**
   * Tells the box's watchers what the host has changed. Returns of how many changes it could.
   * Protocol 8.
   */
  async reportChanges(changes: readonly ShareChange[], signal: AbortSignal): Promise<number> {
    expectProtocol(this.requests, 8, 'reports of changed files');
    const body = ShareChanges.parse({ changes });
    const options = { signal, deadlineMs: SETUP_MS };
    const route = '/v1/shares/changes';
    return (await this.requests.call('POST', route, body, ShareChangesTaken, options)).touched;
  }
}

/** Marks a promise as handled that may reject before it is awaited. */
function unwatched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Throws for a malformed id, which would otherwise name another route. */
function path(id: string): string {
  return `/v1/processes/${ProcessId.parse(id)}`;
}
