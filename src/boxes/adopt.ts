/**
 * Taking over what an earlier server left, whatever it was doing when it ended.
 *
 * @module
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../errors.ts';
import type { Guest } from '../guest/guest.ts';
import { MAIN, type Process } from '../guest/protocol.ts';
import type { Box } from './box.ts';
import { LiveBox } from './live.ts';
import { removeLocked } from './remove.ts';
import { type Runtime, runtimeDirectory } from './runtime.ts';
import { abandon, enterRunning, undoStart } from './start.ts';
import { isLive } from './states.ts';
import { finishRun, supervise } from './supervise.ts';

/** How often, and how far apart, a machine that does not answer is asked. */
const ATTEMPTS = 6;
const ATTEMPT_PAUSE_MS = 5000;

/**
 * Brings every record in line with what is there. When it returns, every box that has a machine is looked after;
 * what must wait for a guest goes on in the background, under the box's lock.
 */
export async function adoptBoxes(rt: Runtime): Promise<void> {
  await sweepDirectories(rt);
  for (const box of rt.store.list()) {
    try {
      await adoptBox(rt, box);
    } catch (error) {
      // One box that cannot be taken over must not keep the others from it.
      rt.log.error('a box could not be adopted', error, { box: box.definition.id });
    }
  }
}

async function adoptBox(rt: Runtime, box: Box): Promise<void> {
  const { id } = box.definition;
  switch (box.state.status) {
    case 'created':
    case 'exited':
      if (box.state.run > 0 && box.definition.autoRemove) {
        await rt.locks.run(id, () => removeLocked(rt, id));
      }
      return;
    case 'removing':
      await rt.locks.run(id, () => removeLocked(rt, id));
      return;
    case 'starting':
      await adoptStarting(rt, box);
      return;
    case 'running':
    case 'stopping':
      await adoptRunning(rt, box);
      return;
  }
}

async function adoptRunning(rt: Runtime, box: Box): Promise<void> {
  const { id } = box.definition;
  try {
    await takeOver(rt, box);
  } catch (error) {
    rt.log.error('a machine did not answer', error, { box: id });
    // Others need not wait for it. Verbs for this box do, since they find its lock taken.
    void rt.locks
      .run(id, () => insist(rt, box))
      .catch((again: unknown) => rt.log.error('a box could not be ended', again, { box: id }));
  }
}

async function takeOver(rt: Runtime, box: Box): Promise<void> {
  const { id } = box.definition;
  const machine = await rt.engine.adopt(id, runtimeDirectory(rt, id));
  if (machine === undefined) return await finishRun(rt, box, 'it was gone when the server came');
  const live = new LiveBox(id, box.state.run, machine);
  rt.live.add(live);
  rt.log.info('adopted a box', { box: id, pid: machine.pid });
  supervise(rt, live);
  void drainExecs(rt, live);
}

/** A machine that goes on not to answer is of no use to anyone: it is ended. */
async function insist(rt: Runtime, box: Box): Promise<void> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
    await delay(ATTEMPT_PAUSE_MS, undefined, { signal: rt.shutdown });
    try {
      return await takeOver(rt, box);
    } catch (error) {
      rt.log.error('a machine did not answer', error, { box: box.definition.id, attempt });
    }
  }
  await rt.engine.sweep(box.definition.id, runtimeDirectory(rt, box.definition.id));
  await finishRun(rt, box, 'its machine did not answer');
}

/** A start that had got as far as the main process is finished; any other is undone. */
async function adoptStarting(rt: Runtime, box: Box): Promise<void> {
  const { id } = box.definition;
  const interrupted = new A3sError('internal', 'The server ended while the box was starting', {
    remedy: 'Start it again.',
  });
  const machine = await rt.engine.adopt(id, runtimeDirectory(rt, id));
  if (machine === undefined) return await undoStart(rt, box, interrupted);
  void rt.locks
    .run(id, async () => {
      const live = new LiveBox(id, box.state.run, machine);
      rt.live.add(live);
      if (rt.shutdown.aborted) await live.release();
      if (await mainStarted(live)) return enterRunning(rt, live);
      if (live.released) return;
      await abandon(rt, live);
      await undoStart(rt, box, interrupted);
    })
    .catch((error: unknown) => rt.log.error('a start could not be settled', error, { box: id }));
}

async function mainStarted(live: LiveBox): Promise<boolean> {
  try {
    const { processes } = await (await live.guest()).state(live.signal);
    return processes.some(({ id, state }) => id === MAIN && state !== 'created');
  } catch {
    // An agent that does not answer cannot have been told to start anything that we could go on with.
    return false;
  }
}

/** Execs of the earlier server: their clients are gone, so their output is read and dropped. */
async function drainExecs(rt: Runtime, live: LiveBox): Promise<void> {
  try {
    const guest = await live.guest();
    const { processes } = await guest.state(live.signal);
    const execs = processes.filter(({ id }) => id !== MAIN);
    await Promise.all(execs.map((exec) => drain(guest, exec, live.signal)));
  } catch (error) {
    if (!live.signal.aborted) rt.log.error('execs were lost sight of', error, { box: live.id });
  }
}

async function drain(guest: Guest, exec: Process, signal: AbortSignal): Promise<void> {
  const reader = await guest.output(exec.id, exec.acknowledged, signal);
  for await (const { offset, data } of reader) reader.ack(offset + data.length);
  await guest.forget(exec.id);
}

/** Removes the directories of boxes that are not on record, and sockets of boxes that do not run. */
async function sweepDirectories(rt: Runtime): Promise<void> {
  const known = new Set(rt.store.list().map(({ definition }) => definition.id));
  const boxes = join(rt.home, 'boxes');
  for (const id of await readdir(boxes)) {
    if (known.has(id)) continue;
    await rt.engine.sweep(id, runtimeDirectory(rt, id));
    await rm(join(boxes, id), { recursive: true, force: true });
  }
  const live = new Map<string, boolean>();
  for (const { definition, state } of rt.store.list()) {
    live.set(definition.id.slice(0, 12), isLive(state.status));
  }
  for (const name of await readdir(rt.runtimeDir)) {
    if (!/^[0-9a-f]{12}$/.test(name) || live.get(name) === true) continue;
    await rm(join(rt.runtimeDir, name), { recursive: true, force: true });
  }
}
