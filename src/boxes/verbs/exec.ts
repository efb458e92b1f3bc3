/**
 * Runs a further process in a box.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import type { LaunchedProcess } from '../../guest/guest-box.ts';
import type { OutputReader } from '../../guest/output.ts';
import type { Exit, TerminalSize } from '../../guest/protocol.ts';
import type { StdinWriter } from '../../guest/stdin.ts';
import type { Networks } from '../../networks/networks.ts';
import type { Box } from '../record/box.ts';
import { expectPermission } from '../record/host-may.ts';
import { type ClientStream, copyInput, DETACHED } from '../run/client-stream.ts';
import type { Exec } from '../run/execs.ts';
import { persist } from '../run/persist.ts';
import { retryWhileFrozen } from '../run/retry-while-frozen.ts';
import type { RunServices } from '../run/run-services.ts';
import { notRunning, type RunningBox } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { withLinkVariables } from '../spec/box-links.ts';
import { execProcess } from '../spec/exec-process.ts';

/** Docker's exit code of an exec that did not start: its program, user or directory was missing. */
const NOT_STARTED = 126;

/** What the start of an exec needs of the server. */
export type ExecHost = Pick<RunServices, 'store' | 'running' | 'events' | 'log'>;

export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: readonly string[];
  /** Empty: the box's own. */
  readonly cwd: string;
  readonly user: string;
  readonly terminal: boolean;
  readonly size: TerminalSize | undefined;
  readonly attach: Exec['attach'];
  readonly detachKeys: Uint8Array;
  readonly privileged: boolean;
}

/**
 * Puts an exec on record; nothing runs yet.
 *
 * @throws A3sError `box-not-running`, `invalid-argument`
 */
export function createExec(
  rt: Pick<RunServices, 'store' | 'running' | 'execs' | 'events'> & {
    readonly networks: Pick<Networks, 'linksTo'>;
  },
  boxId: string,
  request: ExecRequest,
): Exec {
  const box = rt.store.expect(boxId);
  expectPermission(box, 'run a program in', 'exec');
  checkActive(box);
  if (request.privileged) expectPlain(box);
  const running = rt.running.expect(boxId);
  if (request.command.length === 0) {
    throw new A3sError('invalid-argument', 'No exec command specified');
  }
  const exec: Exec = {
    id: randomBytes(32).toString('hex'),
    boxId,
    run: running.run,
    process: execProcess(withLinkVariables(rt, box).definition, request),
    privileged: request.privileged,
    attach: request.attach,
    detachKeys: request.detachKeys,
    state: 'created',
    pid: 0,
    exitCode: undefined,
  };
  rt.execs.add(exec);
  publish(rt, box, `exec_create: ${request.command.join(' ')}`, { execID: exec.id });
  return exec;
}

/** No launch spec gives a process more than its box has. @throws A3sError `unsupported-option` */
function expectPlain({ definition: { confidential } }: Box): void {
  if (confidential === undefined) return;
  throw new A3sError(
    'unsupported-option',
    'Cannot exec: Privileged is not supported for a confidential box: its processes have what its launch spec says',
    { remedy: 'Leave --privileged out.' },
  );
}

/**
 * @throws A3sError `box-not-running`, `conflict` for a box that is paused or waits for its next run
 */
function checkActive({ definition: { id }, state: { status } }: Box): void {
  if (status === 'running') return;
  if (status === 'paused') {
    throw new A3sError('conflict', `Container ${id} is paused, unpause the container before exec`);
  }
  if (status === 'restarting') {
    throw new A3sError(
      'conflict',
      `Container ${id} is restarting, wait until the container is running`,
    );
  }
  throw notRunning(id);
}

/** @throws A3sError `box-not-running` */
export function checkStartable(rt: Pick<RunServices, 'store' | 'running'>, exec: Exec): RunningBox {
  const running = rt.running.expect(exec.boxId);
  if (running.run !== exec.run) throw notRunning(exec.boxId);
  checkActive(rt.store.expect(exec.boxId));
  return running;
}

/** @throws A3sError `conflict` where the exec was started before */
export function expectNotStarted({ id, state }: Exec): void {
  if (state === 'created') return;
  const found = state === 'running' ? 'is already running' : 'has already run';
  throw new A3sError('conflict', `Error: Exec command ${id} ${found}`);
}

/**
 * Starts the exec and returns. Its output is read and dropped, so that the process never stalls.
 *
 * @throws A3sError what the guest refused
 */
export async function startDetached(rt: ExecHost, exec: Exec): Promise<void> {
  const started = await start(rt, exec, undefined);
  void follow(rt, exec, started, undefined);
}

/**
 * Starts the exec and connects the client with it until the process has ended, or the client has
 * detached. When the client vanishes, the process runs on, and its output is read and dropped.
 */
export async function startAttached(
  rt: ExecHost,
  exec: Exec,
  size: TerminalSize | undefined,
  client: ClientStream,
): Promise<void> {
  const started = await start(rt, exec, size);
  const detached = new AbortController();
  if (exec.attach.stdin) {
    void feed(exec, started.guest, client).then(
      (result) => {
        if (result === DETACHED) detached.abort();
      },
      (error: unknown) => {
        if (!client.gone.aborted)
          rt.log.error('the input of an exec broke off', error, { exec: exec.id });
      },
    );
  }
  const left = new Promise<void>((resolve) => {
    AbortSignal.any([detached.signal, client.gone]).addEventListener('abort', () => resolve());
  });
  const attached = { ...client, gone: AbortSignal.any([detached.signal, client.gone]) };
  await Promise.race([follow(rt, exec, started, attached), left]);
}

interface Started extends Pick<LaunchedProcess, 'output' | 'exit'> {
  readonly running: RunningBox;
  readonly guest: Guest;
}

async function start(
  rt: Pick<RunServices, 'store' | 'running' | 'events'>,
  exec: Exec,
  size: TerminalSize | undefined,
): Promise<Started> {
  const running = checkStartable(rt, exec);
  expectNotStarted(exec);
  exec.state = 'running';
  try {
    expectAbsolute(exec.process.cwd);
    const process = size === undefined ? exec.process : { ...exec.process, size };
    const { guest, launched } = await retryWhileFrozen(
      running,
      async () => {
        const guest = await running.guest();
        const how = exec.privileged ? { privileged: true } : {};
        return { guest, launched: await guest.launch(exec.id, process, running.signal, how) };
      },
      () => checkActive(rt.store.expect(exec.boxId)),
    );
    exec.pid = launched.process.pid;
    publish(rt, rt.store.expect(exec.boxId), `exec_start: ${process.args.join(' ')}`, {
      execID: exec.id,
    });
    return { running, guest, output: launched.output, exit: launched.exit };
  } catch (error) {
    exec.state = 'exited';
    exec.exitCode = NOT_STARTED;
    throw error;
  }
}

/**
 * As in Docker, an exec can be created with any directory, and does not start in a relative one.
 *
 * @throws A3sError `cwd-invalid`
 */
function expectAbsolute(cwd: string): void {
  if (cwd.startsWith('/')) return;
  throw new A3sError('cwd-invalid', 'Cwd must be an absolute path');
}

/**
 * Reads the output to its end, whether or not a client takes it, and records the exit. Never
 * rejects.
 */
async function follow(
  rt: Pick<Services, 'store' | 'events' | 'log'>,
  exec: Exec,
  { running, guest, output: first, exit }: Started,
  client: Pick<ClientStream, 'write' | 'gone'> | undefined,
): Promise<void> {
  const progress = { offset: 0 };
  const take = async (
    connection: Guest,
    output: OutputReader,
    exited: Promise<Exit>,
  ): Promise<void> => {
    // The exit is not awaited when the output fails first.
    exited.catch(() => undefined);
    for await (const { stream, offset, data } of output) {
      const kind = stream === 'stdout' ? 1 : 2;
      const shown = kind === 1 ? exec.attach.stdout : exec.attach.stderr;
      if (shown && client?.gone.aborted === false) await client.write(kind, data);
      progress.offset = offset + data.length;
      output.ack(progress.offset);
    }
    exec.exitCode = (await exited).exitCode;
    // Nothing waits for this.
    connection.forget(exec.id).catch((error: unknown) => {
      if (!running.signal.aborted)
        rt.log.error('an exec is not forgotten', error, { exec: exec.id });
    });
  };
  try {
    await take(guest, first, exit).catch(async (error: unknown) => {
      rt.log.error('the connection to an exec was lost', error, { exec: exec.id });
      await persist(running, async (again) => {
        const output = await again.output(exec.id, progress.offset, running.signal);
        await take(again, output, again.exit(exec.id, running.signal));
      });
    });
  } catch (error) {
    // The end of the box ends its execs.
    exec.exitCode ??= 137;
    if (!running.signal.aborted)
      rt.log.error('an exec was lost sight of', error, { exec: exec.id });
  } finally {
    exec.state = 'exited';
    const box = rt.store.get(exec.boxId);
    if (box !== undefined) {
      publish(rt, box, 'exec_die', { execID: exec.id, exitCode: String(exec.exitCode) });
    }
  }
}

async function feed(
  exec: Exec,
  guest: Guest,
  client: ClientStream,
): Promise<typeof DETACHED | undefined> {
  const writer = guest.stdin(exec.id);
  // An exec that ends closes its input; `write` then calls back without an error.
  writer.on('error', () => undefined);
  const keys = exec.process.terminal ? exec.detachKeys : new Uint8Array();
  try {
    const result = await copyInput(client.input, keys, (bytes) => writeTo(writer, bytes));
    if (result !== DETACHED) writer.end();
    else writer.destroy();
    await finished(writer).catch(() => undefined);
    return result;
  } catch (error) {
    writer.end();
    throw error;
  }
}

function writeTo(writer: StdinWriter, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    writer.write(bytes, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

/** @throws A3sError `box-not-running` when it does not run */
export async function resizeExec(
  rt: Pick<RunServices, 'running'>,
  exec: Exec,
  size: TerminalSize,
): Promise<void> {
  const running = rt.running.expect(exec.boxId);
  if (exec.state !== 'running') throw notRunning(exec.boxId);
  await (await running.guest()).resize(exec.id, size);
}
