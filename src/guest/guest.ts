/**
 * The guest agent, as the host sees it: one method per route of `docs/guest-protocol.md`.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { BoxSpec, ProcessSpec, Resources } from '@a3s-box/policies';
import * as z from 'zod';
import { openByteStream } from './byte-stream.ts';
import { expectProtocol } from './expect-protocol.ts';
import { GuestFiles } from './guest-files.ts';
import type { GuestConnection } from './http2-connection.ts';
import type { GuestNetworks } from './networks.ts';
import { type OutputReader, openOutput } from './output.ts';
import {
  Exit,
  Fork,
  GuestState,
  Hello,
  LaunchSpecTaken,
  MAIN,
  Process,
  type ProcessEntry,
  ProcessId,
  ProcessList,
  Reseed,
  SecretsReport,
  type ShareChange,
  ShareChanges,
  ShareChangesTaken,
  SocketPath,
  SpecTaken,
  StartProcess,
  Stats,
  type TerminalSize,
} from './protocol.ts';
import { StdinWriter } from './stdin.ts';

/** The timeout of requests that the agent answers from memory. */
const PROMPT_MS = 30_000;
/** The timeout of requests that wait for devices, mounts, or the program to be loaded. */
const SETUP_MS = 120_000;
/** The timeout of a spec by which the agent copies files of the image into a volume. */
const FILL_MS = 1_800_000;
const STATE_BYTES = 4 * 1024 * 1024;
const TOP_BYTES = 8 * 1024 * 1024;
const STATS_BYTES = 256 * 1024;

const nothing = z.undefined();

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

/**
 * A connection to the agent of one box. Every method rejects with an `A3sError`: the agent's
 * refusal, `agent-failed` for answers that break the protocol and for a lost connection, or
 * `agent-timeout`. An abort rejects with the signal's reason.
 */
export class Guest {
  /** The agent's answer to `hello`; undefined where its version was known beforehand. */
  readonly hello: Hello | undefined;
  /** Resolves when the connection is gone, never rejects. The box keeps running. */
  readonly closed: Promise<void>;
  /** The box's files. */
  readonly files: GuestFiles;
  readonly #connection: GuestConnection;

  constructor(connection: GuestConnection, hello?: Hello) {
    this.#connection = connection;
    this.hello = hello;
    this.files = new GuestFiles(connection);
    this.closed = connection.closed;
  }

  /**
   * Does all of a box's set-up that does not depend on its spec, so that the guest can be copied.
   * Until `reseed`, requests other than `hello`, `rehearse` and `poweroff` are a `conflict`.
   * Protocol 2.
   */
  async prepare(signal?: AbortSignal): Promise<void> {
    const options = { signal, deadlineMs: SETUP_MS };
    await this.#connection.call('POST', '/v1/prepare', undefined, nothing, options);
  }

  /** Microseconds since the guest booted, by its clock; an older agent does not tell. */
  async uptime(signal: AbortSignal): Promise<number | undefined> {
    const route = ['GET', '/v1/hello', undefined, Hello] as const;
    return (await this.#connection.call(...route, prompt(signal))).uptimeUsec;
  }

  /**
   * Has a paused guest run a warm-up of its later requests, in namespaces that it
   * discards, so that an emulated processor has translated that code. Protocol 2; may be repeated.
   */
  async warmUp(spec: BoxSpec, signal?: AbortSignal): Promise<void> {
    const options = { signal, deadlineMs: SETUP_MS };
    await this.#connection.call('POST', '/v1/rehearse', spec, nothing, options);
  }

  /**
   * Gives a guest that started from a template its own identity. Protocol 2; a repeated call
   * changes nothing.
   */
  async reseed(reseed: Reseed, signal?: AbortSignal): Promise<void> {
    const body = Reseed.parse(reseed);
    await this.#connection.call('POST', '/v1/wake', body, nothing, prompt(signal));
  }

  /**
   * Gives a fork its own identity. Protocol 2; a repeated call
   * changes nothing.
   */
  async fork(fork: Fork, signal?: AbortSignal): Promise<void> {
    const { mac, ...rest } = Fork.parse(fork);
    const body = mac === null ? rest : { ...rest, mac };
    await this.#connection.call('POST', '/v1/fork', body, nothing, prompt(signal));
  }

  /** Freezes every process of the box; the guest itself keeps running. Protocol 2. */
  async freeze(signal?: AbortSignal): Promise<void> {
    await this.#connection.call('POST', '/v1/freeze', undefined, nothing, prompt(signal));
  }

  /** Thaws them; nothing changes where they run already. Protocol 2. */
  async thaw(signal?: AbortSignal): Promise<void> {
    await this.#connection.call('POST', '/v1/thaw', undefined, nothing, prompt(signal));
  }

  /** The state that a new host needs to adopt the box. */
  state(signal?: AbortSignal): Promise<GuestState> {
    const options = { signal, deadlineMs: PROMPT_MS, answerBytes: STATE_BYTES };
    return this.#connection.call('GET', '/v1/state', undefined, GuestState, options);
  }

  /**
   * Sends the box spec, once. Returns the digest of the bytes that arrived. An agent before
   * protocol 5, of an older boot set, does not make directories of volumes and refuses unknown
   * fields, so the spec is sent to it without them.
   */
  async putSpec(spec: BoxSpec, signal?: AbortSignal): Promise<string> {
    const fills = spec.mounts.some((mount) => mount.kind !== 'image' && mount.fill === true);
    const options = { signal, deadlineMs: fills ? FILL_MS : SETUP_MS };
    const { directories, ...rest } = spec;
    const document = directories === undefined || this.speaks(5) ? spec : rest;
    return (await this.#connection.call('PUT', '/v1/spec', document, SpecTaken, options)).spec;
  }

  /**
   * Sends a confidential guest the text of its launch spec, once. The guest takes exactly these
   * bytes, or answers the reason and ends. Protocol 3.
   *
   * @param fills the guest may make volumes, and copy the image's files into them
   */
  putLaunchSpec(
    text: string,
    { signal, fills = false }: { readonly signal?: AbortSignal; readonly fills?: boolean } = {},
  ): Promise<LaunchSpecTaken> {
    const options = { signal, deadlineMs: fills ? FILL_MS : SETUP_MS };
    const bytes = Buffer.from(text);
    return this.#connection.call('PUT', '/v1/launch-spec', bytes, LaunchSpecTaken, options);
  }

  /**
   * Sends endorsements that the guest passes on beside its reports. The guest does not rely on
   * them. Protocol 3.
   */
  async putCertificates(table: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#connection.call('PUT', '/v1/certificates', table, nothing, prompt(signal));
  }

  /**
   * Waits for the state of the guest's secrets to have another version than `seen`, however long it
   * takes, and returns it. Protocol 3.
   */
  secrets(seen: number, signal?: AbortSignal): Promise<SecretsReport> {
    const route = `/v1/secrets?seen=${seen}`;
    return this.#connection.call('GET', route, undefined, SecretsReport, { signal });
  }

  /**
   * A connection to the guest's RA-TLS server: bytes that this host cannot read. Protocol 3.
   *
   * @param deadlineMs for the guest to take it
   */
  ratls(signal?: AbortSignal, deadlineMs = PROMPT_MS): Promise<Duplex> {
    return openByteStream(this.#connection, '/v1/ratls', signal, deadlineMs);
  }

  /**
   * The next connection that the agent makes to its secret broker, however long that takes: TLS, of
   * which this host can read nothing. A conflict once there is nothing to fetch. Protocol 11.
   */
  async brokerConnection(signal?: AbortSignal): Promise<Duplex> {
    expectProtocol(this.#connection, 11, 'secrets that the box fetches');
    return await openByteStream(this.#connection, '/v1/broker', signal, undefined);
  }

  /**
   * A connection to a Unix socket of the box. The end of what is written ends that direction alone;
   * the end of what is read ends both. Protocol 10.
   */
  async connectSocket(path: string, signal?: AbortSignal): Promise<Duplex> {
    expectProtocol(this.#connection, 10, 'connections to sockets of the box');
    const route = `/v1/sockets/connect?path=${SocketPath.parse(path)}`;
    return await openByteStream(this.#connection, route, signal, PROMPT_MS);
  }

  /**
   * The next connection that a process of the box makes to a port of 127.0.0.1, however long that
   * takes. The agent listens there from the first call on. Protocol 10.
   */
  async acceptConnection(port: number, signal?: AbortSignal): Promise<Duplex> {
    expectProtocol(this.#connection, 10, 'ports of the box that lead to the host');
    const route = `/v1/sockets/accept?port=${port}`;
    return await openByteStream(this.#connection, route, signal, undefined);
  }

  /** Starts the box's main process, once. */
  startMain(signal?: AbortSignal): Promise<Process> {
    const options = { signal, deadlineMs: SETUP_MS };
    return this.#connection.call('POST', `${path(MAIN)}/start`, undefined, Process, options);
  }

  /** Starts one more process in the box. The id is the caller's: lower-case letters and digits. */
  async startProcess(
    id: string,
    process: ProcessSpec,
    signal?: AbortSignal,
    { group = false, privileged = false }: StartOptions = {},
  ): Promise<Process> {
    if (group) expectProtocol(this.#connection, 4, 'a process with a control group of its own');
    if (privileged) expectProtocol(this.#connection, 7, 'a privileged process');
    const more = { ...(group ? { group } : {}), ...(privileged ? { privileged } : {}) };
    const body = StartProcess.parse({ id, process, ...more });
    const options = { signal, deadlineMs: SETUP_MS };
    return this.#connection.call('POST', '/v1/processes', body, Process, options);
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
    if (this.#connection.version === 1) {
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
    return this.#connection.call('GET', path(id), undefined, Process, prompt(signal));
  }

  /** Waits until the process has exited and its output is complete, however long that takes. */
  exit(id: string, signal?: AbortSignal): Promise<Exit> {
    return this.#connection.call('GET', `${path(id)}/exit`, undefined, Exit, { signal });
  }

  /** The process's output from `offset` on. A new reader displaces the old one. */
  async output(id: string, offset: number, signal?: AbortSignal): Promise<OutputReader> {
    return await openOutput(this.#connection, path(id), offset, signal);
  }

  /**
   * The process's input. One writer at a time: a second one fails with `conflict`. Throws
   * `agent-failed` at once when the connection is gone.
   */
  stdin(id: string): StdinWriter {
    return new StdinWriter(this.#connection, `${path(id)}/stdin`);
  }

  /** `signal` is a name with `SIG`, or a number. `conflict` when the process has exited. */
  async signal(id: string, signal: string): Promise<void> {
    await this.#connection.call('POST', `${path(id)}/signal`, { signal }, nothing, prompt());
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    await this.#connection.call('POST', `${path(id)}/resize`, size, nothing, prompt());
  }

  /** Makes the agent forget an exec that has exited, with its output. */
  async forget(id: string): Promise<void> {
    await this.#connection.call('DELETE', path(id), undefined, nothing, prompt());
  }

  /** Whether the agent supports this version of the protocol. */
  speaks(version: number): boolean {
    return (this.#connection.version ?? 0) >= version;
  }

  /** Waits until the process has exited, whether or not its output is complete. Protocol 4. */
  async ended(id: string, signal?: AbortSignal): Promise<Exit> {
    expectProtocol(this.#connection, 4, 'the end of a process whose output goes on');
    return await this.#connection.call('GET', `${path(id)}/ended`, undefined, Exit, { signal });
  }

  /**
   * Applies all of these limits to the box from now on, as a spec does. `ulimits` apply to later
   * processes. Protocol 4.
   */
  async putResources(resources: Resources, signal?: AbortSignal): Promise<void> {
    expectProtocol(this.#connection, 4, 'other limits');
    await this.#connection.call('PUT', '/v1/resources', resources, nothing, prompt(signal));
  }

  /** The processes of the box. Protocol 4. */
  async top(signal?: AbortSignal): Promise<readonly ProcessEntry[]> {
    expectProtocol(this.#connection, 4, 'the list of its processes');
    const options = { ...prompt(signal), answerBytes: TOP_BYTES };
    return (await this.#connection.call('GET', '/v1/top', undefined, ProcessList, options))
      .processes;
  }

  stats(signal?: AbortSignal): Promise<Stats> {
    const options = { ...prompt(signal), answerBytes: STATS_BYTES };
    return this.#connection.call('GET', '/v1/stats', undefined, Stats, options);
  }

  /** Gives the box these networks in place of those that it has. Protocol 9, with hosts 11. */
  async putNetworks(networks: GuestNetworks, signal?: AbortSignal): Promise<void> {
    if (networks.hosts === undefined) expectProtocol(this.#connection, 9, 'other networks');
    else expectProtocol(this.#connection, 11, 'links between boxes');
    const options = { signal, deadlineMs: SETUP_MS };
    await this.#connection.call('PUT', '/v1/networks', networks, nothing, options);
  }

  /**
   * Tells the box's watchers what the host has changed. Returns of how many changes it could.
   * Protocol 8.
   */
  async reportChanges(changes: readonly ShareChange[], signal: AbortSignal): Promise<number> {
    expectProtocol(this.#connection, 8, 'reports of changed files');
    const body = ShareChanges.parse({ changes });
    const options = { signal, deadlineMs: SETUP_MS };
    const route = '/v1/shares/changes';
    return (await this.#connection.call('POST', route, body, ShareChangesTaken, options)).touched;
  }

  /** Orders the guest to power off. It has ended when the VM has. */
  async poweroff(signal?: AbortSignal): Promise<void> {
    await this.#connection.call('POST', '/v1/poweroff', undefined, nothing, prompt(signal));
  }

  /** Closes the connection. The box keeps running. */
  close(): void {
    this.#connection.destroy();
  }
}

/** Marks a promise as handled that may reject before it is awaited. */
function unwatched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function prompt(signal?: AbortSignal): { signal: AbortSignal | undefined; deadlineMs: number } {
  return { signal, deadlineMs: PROMPT_MS };
}

/** Throws for a malformed id, which would otherwise name another route. */
function path(id: string): string {
  return `/v1/processes/${ProcessId.parse(id)}`;
}
