/**
 * Launches the microVM of a box that boots or starts from a template, and makes the first contact
 * with its guest.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { BoxSpec } from '@a3s-box/policies';
import type { Vm } from '../../engine/vm/vm.ts';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { syncWritableLayer, writableLayerPath } from '../disks/writable-layer.ts';
import type { Box } from '../record/box.ts';
import { makeRuntimeDirectory, runtimeDirectory } from '../record/directories.ts';
import { Handshake, RESUME_MS } from '../run/handshake.ts';
import type { RunningBox, RunningBoxOptions } from '../run/running-box.ts';
import type { Services } from '../services/services.ts';
import { describeVm, type Found, writableDisks } from './describe-vm.ts';
import { launchOnPorts, type PortsHost } from './ports.ts';
import type { Acquired } from './source.ts';

/** What a launch needs of the server. */
export type LaunchHost = PortsHost & Pick<Services, 'home' | 'runtimeDir'>;

/** A microVM, and how its guest is reached. */
export interface LaunchedVm extends Omit<RunningBoxOptions, 'connectMs'> {
  readonly vm: Vm;
  /** Gives the guest its spec. */
  readonly giveSpec: (running: RunningBox) => Promise<Guest>;
  /** Settles when its network is made. */
  readonly whole: Promise<void>;
}

/** @param taken undefined: the microVM boots */
export async function launchVm(
  rt: LaunchHost & Pick<Services, 'startTimeoutMs'>,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
): Promise<LaunchedVm> {
  const { vm, whole, spec, throwaway } = await launchDescribed(rt, box, found, taken);
  if (taken === undefined) {
    const giveSpec = async (running: RunningBox): Promise<Guest> => {
      const guest = await running.guest();
      await guest.putSpec(spec, running.signal);
      return guest;
    };
    return { vm, whole, giveSpec };
  }
  const handshake = new Handshake(vm.id, taken.protocol, (guest) => guest.putSpec(spec));
  return {
    ...{ vm, whole, held: taken },
    firstContact: { known: handshake.known, connectMs: Math.min(RESUME_MS, rt.startTimeoutMs) },
    giveSpec: async (running) => {
      const guest = await resumed(running);
      await handshake.specSent;
      // The microVM has it open.
      if (throwaway !== undefined) await rm(throwaway, { force: true });
      return guest;
    },
  };
}

interface Described extends Pick<LaunchedVm, 'vm' | 'whole'> {
  /** The spec for the guest. */
  readonly spec: BoxSpec;
  /** A file that is not needed once the microVM has it open. */
  readonly throwaway: string | undefined;
}

async function launchDescribed(
  rt: LaunchHost,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
): Promise<Described> {
  const { definition } = box;
  const { id, identity } = definition;
  const directory = runtimeDirectory(rt, id);
  const start =
    taken === undefined
      ? { start: 'cold' as const }
      : { start: 'template' as const, source: taken.template.key };
  await makeRuntimeDirectory(directory, identity);
  const { disks, description, ...launched } = await launchOnPorts(rt, box, {
    state: { machine: { id, identity, ...start } },
    disks: writableDisks(rt, definition, { found, directory, taken }),
    describe: (_, changes, joined) =>
      describeVm(definition, { found, directory, changes, taken, joined }),
    meanwhile: true,
  });
  return { ...launched, spec: description.spec, throwaway: disks.throwaway };
}

/**
 * A guest before its `reseed` has nothing of the box in it, so every failure here is the
 * template's.
 */
async function resumed(running: RunningBox): Promise<Guest> {
  try {
    return await running.guest();
  } catch (cause) {
    if (running.released || !(cause instanceof A3sError)) throw cause;
    throw new A3sError(
      'template-unusable',
      `Cannot resume the template's microVM: ${cause.message}`,
      { cause },
    );
  }
}

/** The same for a start, whose main process waits for the log and for the disk. */
export async function acquireVm(
  rt: LaunchHost & Pick<Services, 'startTimeoutMs'>,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
  openOutput: () => Promise<number>,
): Promise<Acquired> {
  const opened = openOutput();
  const { giveSpec, ...launched } = await launchVm(rt, box, found, taken);
  const durable = syncNewLayer(rt, box, found);
  return {
    ...launched,
    prepareGuest: async (running) => {
      const guest = await giveSpec(running);
      return { guest, offset: await opened, durable };
    },
  };
}

/** Settles when a new writable layer would outlast a power cut. */
function syncNewLayer(
  rt: Pick<Services, 'home'>,
  { definition, state }: Box,
  { keptChanges }: Found,
): Promise<void> {
  const isNew = !keptChanges || (definition.storage !== undefined && state.startedAt === undefined);
  const durable = isNew ? syncWritableLayer(rt, definition) : Promise.resolve();
  // The caller that starts the main process learns of a failure. Before that, this may not be
  // awaited.
  durable.catch(() => undefined);
  return durable;
}

/**
 * After a launch from a template that failed. A writable layer that was new is a copy of what the
 * template's guest had mounted.
 */
export async function removeNewLayer(
  rt: Pick<Services, 'home'>,
  { definition }: Box,
  { keptChanges }: Found,
): Promise<void> {
  if (!keptChanges) await rm(writableLayerPath(rt, definition.id), { force: true });
}
