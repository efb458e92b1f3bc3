/**
 * Creating a box: everything is checked, then one record and one directory are made.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { checkConfidential } from '../confidential/check.ts';
import { DEFAULT_HOSTNAME } from '../confidential/launch-spec.ts';
import { planConfidential } from '../confidential/plan.ts';
import { teeAttributes } from '../confidential/show.ts';
import { checkHealth } from '../health/check-health.ts';
import { authorizeImage, type TrustOptions } from '../policy/authorize-image.ts';
import { namesUsed } from '../policy/trust-names.ts';
import { trustAttributes, trustRecord } from '../policy/trust-record.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { checkName, inventName } from '../record/name.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import { nameInUse } from '../record/store.ts';
import { takenUids } from '../record/taken-uids.ts';

import { boxDirectory, publish, type Runtime } from '../runtime.ts';
import { checkDestinations, recordSources } from './binds.ts';
import { checkResources } from './check-resources.ts';
import { checkSpec } from './check-spec.ts';
import type { CreateRequest } from './create-request.ts';
import { planBox } from './plan.ts';
import { checkVolumes } from './volumes.ts';

/** @throws A3sError for whatever does not fit, an image that is refused too, before anything is changed */
export async function createBox(
  rt: Runtime,
  request: CreateRequest,
  options: TrustOptions = {},
): Promise<Box> {
  const name = request.name === undefined ? undefined : checkName(request.name);
  const holder = name === undefined ? undefined : rt.store.byName(name);
  if (name !== undefined && holder !== undefined) throw nameInUse(name, holder.definition.id);
  checkResources(request, rt.host);
  checkDestinations(request.binds);
  const asked = request.confidential;
  if (asked !== undefined) checkConfidential(request, asked);
  const image = await rt.images.resolve(request.image);
  checkVolumes(image.config.volumes);
  const names = namesUsed(request.image, image);
  const trust = trustRecord(
    await authorizeImage(
      rt,
      { image, reference: request.image, names, confidential: asked !== undefined },
      options,
    ),
  );
  const planned = planBox(request, image);
  checkHealth(planned, asked);
  // One that is given its id for a name has nothing wrong with that.
  checkSpec({ ...planned, hostname: request.hostname ?? DEFAULT_HOSTNAME }, image.config);
  const bootSet = await rt.boot.current(asked?.bootSet);
  const confidential =
    asked === undefined ? {} : await planConfidential(rt, { request, asked, image, bootSet });
  const binds = await recordSources(request.binds);
  const id = randomBytes(32).toString('hex');
  // From here to the record nothing waits, so that no identity and no name is given twice.
  const taken = takenUids(rt);
  const definition: BoxDefinition = {
    ...{ id, createdAt: timestamp(now()), bootSet, identity: rt.identityFor(taken) },
    image: {
      reference: request.image,
      id: image.id,
      manifestDigest: image.manifestDigest,
      names: [...names],
    },
    trust,
    ...planned,
    hostname: request.hostname ?? id.slice(0, 12),
    labels: { ...image.config.labels, ...request.labels },
    ports: [...request.ports],
    exposedPorts: [...new Set([...request.exposedPorts, ...image.config.exposedPorts])],
    binds,
    volumes: [...new Set([...image.config.volumes, ...request.volumes])],
    ...confidential,
  };
  const box = rt.store.insert(
    definition,
    name ?? inventName((n) => rt.store.byName(n) !== undefined),
  );
  try {
    await mkdir(boxDirectory(rt, id), { mode: 0o711 });
    // It could be removed, or replaced, until the record held it.
    await pinnedImage(rt, definition);
  } catch (error) {
    await rm(boxDirectory(rt, id), { recursive: true, force: true });
    rt.store.remove(id);
    throw error;
  }
  if (definition.confidential !== undefined) {
    rt.engine.expectConfidential(definition.confidential.tee);
  }
  publish(rt, box, 'create', { ...trustAttributes(trust), ...teeAttributes(box) });
  return box;
}
