/**
 * Chooses the sources from which a box may start, and tries one after the other: a pool, a
 * template, a boot.
 *
 * @module
 */

import { hotplugPorts } from '../../engine/hotplug-ports.ts';
import { HOTPLUG_CAPACITY, TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { PlacesHost } from '../run/network-places.ts';
import type { RunServices } from '../run/run-services.ts';
import type { Services } from '../services/services.ts';
import { DRIVEN_DEVICE } from '../spec/confinement/confinement.ts';
import type { EndHost } from '../supervise/finish-run.ts';
import { abandon } from './abandon.ts';
import { type Found, findParts } from './describe-vm.ts';
import { joinNetworks } from './join-networks.ts';
import { type AttemptHost, type Launched, launch } from './launch.ts';
import { runMain } from './main-process.ts';
import { type MountedVolumes, mountVolumes, undoFill } from './mount-volumes.ts';
import type { StartSource } from './source.ts';
import { BootSource } from './sources/boot.ts';
import { type ConfidentialHost, ConfidentialSource } from './sources/confidential.ts';
import { PoolSource, type PoolStartHost } from './sources/pool.ts';
import { isFork, type OpenSaved, SnapshotSource, snapshotOf } from './sources/snapshot.ts';
import { TemplateSource, type TemplateStartHost } from './sources/template.ts';

/** What all sources together need of the server. */
type SourcesHost = ConfidentialHost &
  PoolStartHost &
  TemplateStartHost &
  Pick<Services, 'snapshots'>;

/** What it takes of the server that a box comes to run. */
export type RunHost = SourcesHost & AttemptHost & EndHost & Pick<Services, 'volumes'>;

/** How a box comes to run. */
export interface RunOptions {
  readonly image: Image;
  /** The box goes on from there, or does not start. */
  readonly saved?: OpenSaved | undefined;
}

/** Returns when the main process runs, and is on record. */
export async function runBox(rt: RunHost, box: Box, options: RunOptions): Promise<void> {
  const volumes = await mountVolumes(rt, box);
  try {
    await runWith(rt, box, options, volumes);
  } catch (error) {
    const { id } = box.definition;
    // The guest of a server that ends goes on, until the next server has found it.
    if (rt.running.get(id)?.released === true) throw error;
    throw await undoFill(rt, id, volumes, error);
  } finally {
    volumes.release();
  }
}

async function runWith(
  rt: RunHost,
  box: Box,
  options: RunOptions,
  volumes: MountedVolumes,
): Promise<void> {
  const passed: StartSource[] = [];
  for (const source of await sourcesOf(rt, box, options, volumes)) {
    const launched = await tryLaunch(rt, box, source);
    if (launched !== undefined) {
      await recordFilled(rt, launched, volumes);
      await joinAll(rt, box, launched);
      for (const each of passed) await each.onNextLaunched?.();
      await runMain(rt, launched);
      for (const each of passed) each.onNextStarted?.();
      return;
    }
    passed.push(source);
  }
  throw new A3sError('internal', 'Cannot start the box: no source had a microVM for it');
}

/** The sources that the box may start from, the fastest first. */
async function sourcesOf(
  rt: SourcesHost,
  box: Box,
  { image, saved }: RunOptions,
  volumes: MountedVolumes,
): Promise<readonly StartSource[]> {
  const { confidential } = box.definition;
  // A confidential box is measured from the first instruction on. A copy of something else could
  // not be.
  if (confidential !== undefined)
    return [new ConfidentialSource(rt, box, confidential, image, volumes.disks)];
  const found = await findParts(rt, box.definition, image, volumes);
  const from = saved ?? (isFork(box) ? snapshotOf(rt, box) : undefined);
  if (from !== undefined) return [new SnapshotSource(rt, box, found, from)];
  const boot = new BootSource(rt, box, found);
  const reason = reasonToBoot(found, box.definition);
  if (reason === undefined) {
    return [new PoolSource(rt, box, found), new TemplateSource(rt, box, found), boot];
  }
  rt.log.info('a box boots', { box: box.definition.id, reason });
  return [boot];
}

/**
 * Why a box boots whether or not there is a template; undefined: it need not.
 *
 * This is the one place that decides it. Earlier runs are no reason to boot, and neither is the
 * box's memory: what the template lacks is attached, and a smaller limit is set in the guest.
 * Confidential boxes do not come here.
 */
export function reasonToBoot(
  { layers, shares, mountDisks, keptChanges }: Found,
  { engine, security }: Pick<BoxDefinition, 'engine' | 'security'>,
): string | undefined {
  if (engine?.name === 'krun') return 'its engine, krun, has no templates';
  // No module is loaded in a guest once it was prepared.
  if (security.privileged) return 'a privileged box has drivers that a template has not loaded';
  const driven = security.devices.find(({ path }) => path === DRIVEN_DEVICE);
  if (driven !== undefined) return `${driven.path} needs a driver that a template has not loaded`;
  const more = Math.max(0, layers.length - TEMPLATE_SLOTS.layers.length);
  const disks = more + mountDisks.length + (keptChanges ? 1 : 0);
  if (hotplugPorts(disks, shares.length) <= HOTPLUG_CAPACITY.ports) return undefined;
  const devices = [
    `${layers.length} layers`,
    ...(mountDisks.length > 0 ? [`${mountDisks.length} disks of volumes and images`] : []),
    `${shares.length} shares`,
  ];
  const last = devices.pop();
  return `${devices.join(', ')} and ${last} are more than a template has room for`;
}

/**
 * Before the main process runs: what it writes must be in the volume, not in a directory that is
 * only filled.
 */
async function recordFilled(
  rt: Pick<RunServices, 'running'>,
  { running }: Launched,
  volumes: MountedVolumes,
): Promise<void> {
  try {
    await volumes.filled();
  } catch (error) {
    if (!running.released) await abandon(rt, running);
    throw error;
  }
}

/** The main process finds all networks of its box. */
async function joinAll(
  rt: PlacesHost & Pick<RunServices, 'running' | 'store' | 'log'>,
  box: Box,
  { running }: Launched,
): Promise<void> {
  try {
    await joinNetworks(rt, box, running);
  } catch (error) {
    if (!running.released) await abandon(rt, running);
    throw error;
  }
}

/** @returns undefined where the next source must be tried */
async function tryLaunch(
  rt: AttemptHost,
  box: Box,
  source: StartSource,
): Promise<Launched | undefined> {
  try {
    return await launch(rt, box, source);
  } catch (error) {
    if ((await source.onFailure(error)) === 'fail') throw error;
    return undefined;
  }
}
