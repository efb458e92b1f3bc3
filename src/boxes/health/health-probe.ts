/**
 * One probe of a box's health: a separate process in the box, with a limit of time and of output.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError, ERRORS } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import type { OutputReader } from '../../guest/output.ts';
import type { Exit } from '../../guest/protocol.ts';
import { finality } from '../../guest/refusal.ts';
import type { Box, HealthCheck } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { persist } from '../run/persist.ts';
import type { RunningBox } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { execProcess } from '../spec/exec-process.ts';
import { milliseconds, type ProbeResult } from './health-state.ts';

/** Execs have no such id: theirs are hexadecimal. */
const PREFIX = 'probe';
const MAX_OUTPUT = 4096;
/** Docker's exit code of a probe that did not finish. */
const FAILED = -1;
/** Time for a killed probe to end. */
const KILL_MS = 10_000;

/** Whether this process of a guest is a probe, of this server or an earlier one. */
export function isProbe(id: string): boolean {
  return id.startsWith(PREFIX);
}

/** The argument vector of a probe. */
export function probeCommand({ test }: Pick<HealthCheck, 'test'>): string[] {
  const [kind, ...words] = test;
  return kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : words;
}

/**
 * Runs a probe to its end. Undefined where the probe says nothing about health: the box ended or
 * was paused meanwhile.
 *
 * @param stopped aborts when the probe is no longer wanted
 */
export async function runProbe(
  rt: Pick<Services, 'events' | 'log'>,
  running: RunningBox,
  box: Box,
  check: HealthCheck,
  stopped: AbortSignal,
): Promise<ProbeResult | undefined> {
  const start = timestamp(now());
  const probe = new Probe(rt, running, box, probeCommand(check));
  const end = (exitCode: number, output: string): ProbeResult => ({
    ...{ start, end: timestamp(now()), exitCode, output },
  });
  const over = new AbortController();
  const ending = probe.run();
  // It may fail when it is not awaited any more.
  ending.catch(() => undefined);
  const timeout = milliseconds(check.timeout);
  const timer = delay(timeout, 'late' as const, { signal: over.signal, ref: false });
  timer.catch(() => undefined);
  try {
    const outcome = await Promise.race([ending, timer, aborted(stopped, over.signal)]);
    if (stopped.aborted || outcome === undefined) {
      await probe.kill(ending);
      return undefined;
    }
    if (outcome !== 'late') return end(outcome.exitCode, probe.output);
    await probe.kill(ending);
    const said = probe.output === '' ? '' : `: ${probe.output}`;
    return end(FAILED, `Health check exceeded timeout (${duration(timeout)})${said}`);
  } catch (error) {
    if (stopped.aborted || running.signal.aborted) return undefined;
    // The guest never took the request: the connection broke before, or the box was paused, or
    // about to end.
    if (finality(error) === 'state') return undefined;
    // As in Docker, a probe that cannot be started is a failure of the check.
    return end(FAILED, error instanceof Error ? error.message : String(error));
  } finally {
    over.abort();
  }
}

class Probe {
  readonly #id = `${PREFIX}${randomBytes(16).toString('hex')}`;
  readonly #rt: Pick<Services, 'events' | 'log'>;
  readonly #running: RunningBox;
  readonly #box: Box;
  readonly #command: readonly string[];
  readonly #said: Buffer[] = [];
  #bytes = 0;
  #offset = 0;
  #truncated = false;
  #started = false;

  constructor(
    rt: Pick<Services, 'events' | 'log'>,
    running: RunningBox,
    box: Box,
    command: readonly string[],
  ) {
    this.#rt = rt;
    this.#running = running;
    this.#box = box;
    this.#command = command;
  }

  /** The beginning of its output. */
  get output(): string {
    const text = new TextDecoder().decode(Buffer.concat(this.#said));
    return this.#truncated ? `${text}...` : text;
  }

  async run(): Promise<Exit> {
    const { signal } = this.#running;
    this.#tell(`exec_create: ${this.#command.join(' ')}`);
    const process = execProcess(this.#box.definition, {
      ...{ command: this.#command, env: [], cwd: '', user: '', terminal: false, size: undefined },
      attach: { stdin: false },
    });
    const guest = await this.#running.guest();
    this.#started = true;
    this.#running.probes.add(this.#id);
    const launched = guest.launch(this.#id, process, signal);
    const exit = await launched
      .then(async (started) => {
        this.#tell(`exec_start: ${this.#command.join(' ')}`);
        return await this.#take(started.output, started.exit);
      })
      .catch(async (error: unknown) => {
        if (signal.aborted || !guest.speaks(4) || !isConnectionLost(error)) throw error;
        return await this.#goOn();
      })
      .catch((error: unknown) => {
        // It is not followed any more.
        this.#running.probes.delete(this.#id);
        throw error;
      });
    this.#tell('exec_die', { exitCode: String(exit.exitCode) });
    void this.#forget();
    return exit;
  }

  /** Goes on after the connection was lost, which is no fault of the box. */
  async #goOn(): Promise<Exit> {
    const { signal } = this.#running;
    let exit: Exit | undefined;
    await persist(this.#running, async (guest: Guest) => {
      const output = await guest.output(this.#id, this.#offset, signal);
      exit = await this.#take(output, guest.exit(this.#id, signal));
    });
    if (exit === undefined) throw new A3sError('agent-failed', 'The end of a probe is not known');
    return exit;
  }

  async #take(output: OutputReader, exited: Promise<Exit>): Promise<Exit> {
    // The exit is not awaited when the output fails first.
    exited.catch(() => undefined);
    for await (const { offset, data } of output) {
      const kept = data.subarray(0, MAX_OUTPUT - this.#bytes);
      this.#truncated ||= kept.length < data.length;
      if (kept.length > 0) this.#said.push(Buffer.from(kept));
      this.#bytes += kept.length;
      this.#offset = offset + data.length;
      output.ack(this.#offset);
    }
    return await exited;
  }

  /**
   * Kills the probe's own process. As in Docker, what it has started goes on: PostgreSQL as the
   * main process takes a child that was killed for a crash of its own, and ends all connections.
   */
  async kill(running: Promise<unknown>): Promise<void> {
    if (!this.#started || this.#running.signal.aborted) return;
    const gone = running.then(
      () => undefined,
      () => undefined,
    );
    const killed = persist(this.#running, (guest) => guest.signal(this.#id, 'SIGKILL')).catch(
      () => undefined,
    );
    const timer = new AbortController();
    const late = delay(KILL_MS, undefined, { signal: timer.signal, ref: false });
    await Promise.race([Promise.all([killed, gone]), late.catch(() => undefined)]);
    timer.abort();
  }

  async #forget(): Promise<void> {
    try {
      await (await this.#running.guest()).forget(this.#id);
    } catch (error) {
      if (this.#running.signal.aborted) return;
      this.#rt.log.error('a probe is not forgotten', error, { box: this.#running.id });
    } finally {
      this.#running.probes.delete(this.#id);
    }
  }

  #tell(action: string, more: Readonly<Record<string, string>> = {}): void {
    if (this.#running.signal.aborted) return;
    publish(this.#rt, this.#box, action, { execID: this.#id, ...more });
  }
}

/**
 * Whether the connection failed, and not the process. Only a probe whose start got no answer is
 * looked up by its id.
 */
function isConnectionLost(error: unknown): boolean {
  return error instanceof A3sError && ERRORS[error.code].unanswered === true;
}

/** Settles when either aborts. */
function aborted(...signals: readonly AbortSignal[]): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of signals) {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    }
  });
}

/** As Go writes durations. */
function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const seconds = milliseconds / 1000;
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return `${hours}h${minutes % 60}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
