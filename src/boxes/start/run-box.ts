/**
 * How a box comes to run: in a machine of a pool, from a template, or by a boot of its own.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { A3sError, ERRORS } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { changesPath } from '../disks/writable-layer.ts';
import type { Box } from '../record/box.ts';
import { publish, type Runtime } from '../runtime.ts';
import { type Found, findParts } from './describe.ts';
import { isInterrupted } from './enter.ts';
import { type Begun, begin, startMain } from './launch.ts';
import { startConfidential } from './sources/confidential.ts';
import { startPooled } from './sources/pool.ts';
import { isFork, startFork } from './sources/snapshot.ts';
import { reasonToBoot, shapeOf } from './warm.ts';

/** In a machine that waits for it, from its template where there is one that fits; by a boot of its own otherwise, or when the template is no good. */
export async function runBox(rt: Runtime, box: Box, image: Image): Promise<void> {
  const { confidential } = box.definition;
  // Measured from the first instruction on: whatever is a copy of something else could not be.
  if (confidential !== undefined) return await startConfidential(rt, box, confidential, image);
  const found = await findParts(rt, box.definition, image);
  if (isFork(box)) return await startFork(rt, box, found);
  const reason = reasonToBoot(found);
  if (reason !== undefined) {
    rt.log.info('a box boots', { box: box.definition.id, reason });
    return await startMain(rt, await begin(rt, box, found, undefined));
  }
  const pooled = rt.pools.take(box.definition, found);
  if (pooled !== undefined && (await startPooled(rt, box, found, pooled))) return;
  const shape = shapeOf(box.definition, found);
  const taken = await rt.templates.take(shape);
  const failure = taken === undefined ? undefined : await startWarm(rt, box, found, taken);
  if (failure === 'none') return;
  const begun = await begin(rt, box, found, undefined);
  // What a boot gets through was not the box's fault.
  if (failure?.machineFault === 'possible') await rt.templates.drop(failure.key, failure.reason);
  await startMain(rt, begun);
  rt.templates.booted(shape);
}

/** A template that no box came to run from. */
interface TemplateFailure {
  readonly key: string;
  readonly reason: string;
  /** Whether it is the template's fault; a boot shows whether what is possible was so. */
  readonly machineFault: 'certain' | 'possible' | 'none';
}

/** Starts the box from the template, or tells what went wrong before anything of the box ran; nothing is left then. */
async function startWarm(
  rt: Runtime,
  box: Box,
  found: Found,
  taken: TakenTemplate,
): Promise<TemplateFailure | 'none'> {
  const { id } = box.definition;
  const { key } = taken.template;
  let begun: Begun;
  try {
    begun = await begin(rt, box, found, taken);
  } catch (error) {
    taken.release();
    if (!(error instanceof A3sError) || isInterrupted(rt)) throw error;
    const { machineFault } = ERRORS[error.code];
    if (machineFault === undefined) throw error;
    rt.log.error('a box could not start from its template, so it boots', error, {
      box: id,
      template: key,
    });
    publish(rt, box, 'template-failed', { template: key, reason: error.message });
    const failure: TemplateFailure = { key, reason: error.message, machineFault };
    if (machineFault === 'certain') await rt.templates.drop(key, failure.reason);
    // A copy of what the template's guest had mounted.
    if (!found.keptChanges) await rm(changesPath(rt, id), { force: true });
    return failure;
  }
  await startMain(rt, begun);
  return 'none';
}
