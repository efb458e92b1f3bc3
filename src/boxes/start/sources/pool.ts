/**
 * A start in a machine of a pool: the box's layers and its spec come to a guest that has everything else.
 *
 * @module
 */
import { chown, rename, rm } from 'node:fs/promises';
import { settleAll } from '../../../async/settle-all.ts';
import { TEMPLATE_SLOTS } from '../../../engine/engine.ts';
import { A3sError, ERRORS } from '../../../errors.ts';
import { hostLimitsOf } from '../../create/resources.ts';
import { changesPath } from '../../disks/writable-layer.ts';
import type { PooledMachine } from '../../pool/machine-pools.ts';
import { endPooled } from '../../pool/pooled-machine.ts';
import type { Box, BoxDefinition } from '../../record/box.ts';
import { RunningBox } from '../../run/running-box.ts';
import { publish, type Runtime, runtimeDirectory } from '../../runtime.ts';
import { describeMachine, type Found } from '../describe.ts';
import { enter, isInterrupted } from '../enter.ts';
import { abandon, type Begun, startMain, syncChanges } from '../launch.ts';
import { Waking } from '../warm.ts';

/** Starts the box in the machine. False when the machine was no good: nothing of the box ran, and nothing is left of it. */
export async function startPooled(
  rt: Runtime,
  box: Box,
  found: Found,
  pooled: PooledMachine,
): Promise<boolean> {
  const { id } = box.definition;
  let begun: Begun;
  try {
    begun = await begin(rt, box, found, pooled);
  } catch (error) {
    if (rt.running.get(id)?.released === true) {
      // A server that stops leaves the machine to the next.
      await rm(pooled.directory, { recursive: true, force: true });
      throw error;
    }
    // It may not even have come on record, and then nobody else ends it.
    await endPooled(rt, pooled);
    // It has been the machine's: the box has none of its own yet.
    await rm(changesPath(rt, id), { force: true });
    if (!(error instanceof A3sError) || isInterrupted(rt)) throw error;
    // The machine has its template's memory since it was restored: nothing fails of that any more.
    if (ERRORS[error.code].machineFault !== 'possible') throw error;
    const machine = pooled.machine.id;
    rt.log.error('a box could not start in a machine of a pool', error, { box: id, machine });
    publish(rt, box, 'pool-failed', { machine, reason: error.message });
    return false;
  }
  await startMain(rt, begun);
  return true;
}

async function begin(rt: Runtime, box: Box, found: Found, pooled: PooledMachine): Promise<Begun> {
  const { definition, state } = box;
  const { id } = definition;
  const { machine, identity, guest, taken } = pooled;
  const source = taken.template.key;
  // On record before anything is done to it: whoever takes over finds it by this.
  rt.store.amend(id, {
    ports: [],
    machine: { id: machine.id, identity, start: 'pool', source },
  });
  const opened = rt.outputs.of(id).open(state.run, !definition.autoRemove);
  const failed = opened.catch(() => undefined);
  const running = new RunningBox(id, state.run, machine, {
    ...{ connectMs: rt.startTimeoutMs, guest, held: taken },
  });
  await enter(rt, running);
  try {
    const changes = { disks: [], serial: TEMPLATE_SLOTS.changes, throwaway: undefined };
    const directory = runtimeDirectory(rt, machine.id);
    const limits = hostLimitsOf(definition);
    const { spec } = describeMachine(definition, {
      ...{ found, directory, ports: [], changes, taken },
    });
    await settleAll([
      machine.insert(found.layers),
      takeChanges(rt, definition, pooled),
      limits === undefined ? Promise.resolve() : machine.applyLimits(limits),
    ]);
    const durable = syncChanges(rt, definition);
    durable.catch(() => undefined);
    const waking = new Waking(machine.id, taken.protocol, spec);
    // What is sent to it before it goes on is there when it does.
    await settleAll([machine.resume(), waking.known.first(guest, running.signal)]);
    await waking.specSent;
    return { running, guest, offset: await opened, durable };
  } catch (error) {
    await failed;
    if (!running.released) await abandon(rt, running);
    throw error;
  }
}

/** The machine's disk of changes becomes the box's. */
async function takeChanges(
  rt: Runtime,
  { id, identity }: BoxDefinition,
  { changesPath: from, directory }: PooledMachine,
): Promise<void> {
  const to = changesPath(rt, id);
  try {
    await rename(from, to);
    if (process.geteuid?.() === 0) await chown(to, identity.uid, identity.gid);
    await rm(directory, { recursive: true, force: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('vmm-failed', `Cannot take the disk of a machine of a pool: ${why}`, {
      cause,
    });
  }
}
