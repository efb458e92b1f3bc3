/**
 * Starting a box.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { BoxSpec } from '@a3s-box/policies';
import type { Machine } from '../engine/engine.ts';
import { A3sError } from '../errors.ts';
import type { Box } from './box.ts';
import { now, timestamp } from './clock.ts';
import { linkSignals } from './link.ts';
import { LiveBox } from './live.ts';
import { prepareMachine } from './machine.ts';
import { pinnedImage } from './pinned-image.ts';
import { resolvePorts } from './ports.ts';
import { removeLocked } from './remove.ts';
import { publish, type Runtime, runtimeDirectory } from './runtime.ts';
import { supervise } from './supervise.ts';
import { authorizeImage, type TrustOptions, UntrustedImage } from './trust.ts';
import { namesOnRecord } from './trust-names.ts';
import { trustAttributes, trustRecord } from './trust-record.ts';

const PORT_ATTEMPTS = 3;

/**
 * Starts the box's main process in a machine of its own. False when it runs already.
 *
 * A start that fails leaves the box as it was, with the reason and Docker's exit code on record. So does one whose image
 * is refused, before anything of a machine is made.
 */
export function startBox(rt: Runtime, id: string, options: TrustOptions = {}): Promise<boolean> {
  return rt.locks.run(id, async () => {
    // Its last run may still be on its way out.
    if (rt.store.expect(id).state.status === 'stopping') await rt.live.get(id)?.finished;
    const before = rt.store.expect(id);
    if (before.state.status === 'running') return false;
    const run = before.state.run + 1;
    const box = rt.store.advance(id, 'start', {
      ...{ run, pid: 0, exitCode: 0, oomKilled: false, error: '', ports: [] },
      ...{ stopRequested: false, trust: undefined },
    });
    try {
      await authorizeStart(rt, box, options);
      await launch(rt, box);
      return true;
    } catch (error) {
      // A server that stops lets go in the middle: the next one settles this start.
      if (rt.live.get(id)?.released !== true) await undoStart(rt, box, error);
      throw error;
    }
  });
}

/** By the image and the names on record: a tag that has moved changes nothing. */
async function authorizeStart(rt: Runtime, box: Box, options: TrustOptions): Promise<void> {
  const { id, image: pinned } = box.definition;
  const image = await pinnedImage(rt, box.definition);
  const { reference, names = namesOnRecord(reference, image) } = pinned;
  try {
    const decision = await authorizeImage(rt, { image, reference, names }, options);
    rt.store.amend(id, { trust: trustRecord(decision) });
  } catch (error) {
    if (error instanceof UntrustedImage) {
      rt.store.amend(id, { trust: trustRecord(error.decision) });
    }
    throw error;
  }
}

async function launch(rt: Runtime, box: Box): Promise<void> {
  const { definition } = box;
  const { machine, spec } = await launchMachine(rt, box);
  const live = new LiveBox(definition.id, box.state.run, machine, rt.startTimeoutMs);
  rt.live.add(live);
  if (rt.shutdown.aborted) await live.release();
  try {
    await startMain(rt, live, spec);
  } catch (error) {
    if (!live.released) await abandon(rt, live);
    throw error;
  }
}

/** A port that was free when it was chosen may be taken when it is bound: then another one is chosen. */
async function launchMachine(rt: Runtime, box: Box): Promise<{ machine: Machine; spec: BoxSpec }> {
  const { id, ports: asked } = box.definition;
  for (let attempt = 1; ; attempt += 1) {
    const ports = await resolvePorts(asked);
    const { machine: machineSpec, spec } = await prepareMachine(rt, box, ports);
    // On record before anything is bound, so that an adopted start knows its ports too.
    rt.store.amend(id, { ports });
    const shutdown = linkSignals(rt.shutdown);
    try {
      return { spec, machine: await rt.engine.launch(machineSpec, shutdown.signal) };
    } catch (error) {
      const taken = error instanceof A3sError && error.code === 'port-in-use';
      const canChoose = asked.some(({ hostPort }) => hostPort === 0);
      if (!taken || !canChoose || attempt === PORT_ATTEMPTS) throw error;
    } finally {
      shutdown.unlink();
    }
  }
}

async function startMain(rt: Runtime, live: LiveBox, spec: BoxSpec): Promise<void> {
  const output = rt.outputs.of(live.id);
  await output.open(live.run);
  const guest = await live.guest();
  await guest.putSpec(spec, live.signal);
  await guest.startMain(live.signal);
  enterRunning(rt, live);
}

/** The main process runs: says so on record, and watches over it from here on. */
export function enterRunning(rt: Runtime, live: LiveBox): void {
  const box = rt.store.advance(live.id, 'started', {
    pid: live.machine.pid,
    startedAt: timestamp(now()),
  });
  publish(rt, box, 'start', trustAttributes(box.state.trust));
  supervise(rt, live);
}

/** Ends the machine of a start that failed. */
export async function abandon(rt: Runtime, live: LiveBox): Promise<void> {
  await live.machine.kill();
  await live.machine.exited;
  await live.release();
  rt.live.delete(live);
  live.finish();
}

/** Takes back a start of which nothing runs any more. */
export async function undoStart(rt: Runtime, box: Box, error: unknown): Promise<void> {
  const { id } = box.definition;
  const directory = runtimeDirectory(rt, id);
  await rt.engine.sweep(id, directory);
  await rm(directory, { recursive: true, force: true });
  const output = rt.outputs.of(id);
  await output.close();
  const undone = rt.store.advance(
    id,
    box.state.startedAt === undefined ? 'undone-created' : 'undone-exited',
    {
      exitCode: exitCodeOf(error),
      error: error instanceof Error ? error.message : String(error),
      ports: [],
      finishedAt: box.state.startedAt === undefined ? undefined : timestamp(now()),
    },
  );
  output.endRun(box.state.run);
  rt.log.error('a box did not start', error, { box: id });
  if (undone.definition.autoRemove) await removeLocked(rt, id);
}

/** Docker's codes for a process that could not start. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof A3sError)) return 128;
  switch (error.code) {
    case 'command-not-found':
      return 127;
    case 'command-not-executable':
      return 126;
    // The box was not even tried.
    case 'image-untrusted':
    case 'policy-invalid':
    case 'no-such-policy':
      return 125;
    default:
      return 128;
  }
}
