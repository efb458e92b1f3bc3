/**
 * Attaches a client to a box's main process.
 *
 * @module
 */

import { expectKept } from '../output/keeps-output.ts';
import { expectPermission } from '../record/host-may.ts';
import { mayHaveVm } from '../record/states.ts';
import { type ClientStream, copyInput, DETACHED } from '../run/client-stream.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';

/** What an attached client needs of the server. */
export type AttachHost = Pick<RunServices, 'store' | 'running' | 'outputs' | 'events' | 'log'>;

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Begins with the earlier output. */
  readonly logs: boolean;
  /** Goes on until the run ends. */
  readonly stream: boolean;
  readonly detachKeys: Uint8Array;
}

/**
 * The position from which a client's output begins. It is fixed before the client is attached, so
 * that the client misses nothing of the run that it starts next.
 */
export interface AttachPoint {
  readonly from: number;
  readonly run: number;
}

/** @throws A3sError `host-not-permitted` */
export async function attachPoint(
  rt: Pick<RunServices, 'store' | 'outputs'>,
  id: string,
  { stdin, stdout, stderr, logs }: Pick<AttachOptions, 'stdin' | 'stdout' | 'stderr' | 'logs'>,
): Promise<AttachPoint> {
  const box = rt.store.expect(id);
  if (logs) {
    expectPermission(box, 'show the output of', 'logs');
    expectKept(box);
  }
  if (stdout || stderr) expectPermission(box, 'attach to', 'logs', 'attach');
  if (stdin && box.definition.openStdin) expectPermission(box, 'attach an input to', 'attach');
  const { state } = box;
  const run = mayHaveVm(state.status) ? state.run : state.run + 1;
  return { run, from: logs ? 0 : await rt.outputs.of(id).end() };
}

/**
 * Connects the client's input and output with the box. Returns when the run has ended, when the
 * client is gone, or when it typed the detach keys. In the last two cases the box runs on. Output
 * comes from the log, so a slow client delays no other.
 */
export async function attachBox(
  rt: AttachHost,
  id: string,
  point: AttachPoint,
  options: AttachOptions,
  client: ClientStream,
): Promise<void> {
  publish(rt, rt.store.expect(id), 'attach');
  const detached = new AbortController();
  const signal = AbortSignal.any([detached.signal, client.gone]);
  if (options.stdin && options.stream) {
    void feed(rt, id, point.run, options, client, signal).then(
      (result) => {
        if (result !== DETACHED) return;
        const box = rt.store.get(id);
        if (box !== undefined) publish(rt, box, 'detach');
        detached.abort();
      },
      (error: unknown) => {
        if (!signal.aborted) rt.log.error('the input of a box broke off', error, { box: id });
      },
    );
  }
  const log = rt.outputs.of(id);
  const following = options.stream ? { run: point.run } : undefined;
  try {
    for await (const { stream, payload } of log.read(point.from, following, signal)) {
      if (stream === 1 ? options.stdout : options.stderr) await client.write(stream, payload);
    }
  } finally {
    detached.abort();
  }
}

async function feed(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
  run: number,
  options: AttachOptions,
  client: ClientStream,
  signal: AbortSignal,
): Promise<typeof DETACHED | undefined> {
  const { terminal, openStdin, stdinOnce } = rt.store.expect(id).definition;
  if (!openStdin) return undefined;
  const running = await awaitRunning(rt, id, run, signal);
  const keys = terminal ? options.detachKeys : new Uint8Array();
  try {
    return await copyInput(client.input, keys, (bytes) => running.input.write(bytes));
  } finally {
    // As Docker does, whether the client ended its input or vanished.
    if (stdinOnce && !terminal && !running.signal.aborted) await running.input.end();
  }
}

async function awaitRunning(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
  run: number,
  signal: AbortSignal,
): Promise<RunningBox> {
  for (;;) {
    const running = rt.running.get(id);
    const { status } = rt.store.expect(id).state;
    if (running?.run === run && status !== 'starting') return running;
    await rt.store.when(id, () => true, signal);
  }
}
