/**
 * Creating a box: everything is checked, then one record and one directory are made.
 *
 * @module
 */

import { requireFeature } from '../../engine/engine-name.ts';
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import { checkConfidential } from '../confidential/check.ts';
import { planConfidential } from '../confidential/launch-plan.ts';
import { DEFAULT_HOSTNAME } from '../confidential/launch-spec.ts';
import { checkSealed, withIds } from '../confidential/sealed-volumes.ts';
import {
  type AuthorizationHost,
  authorizeImage,
  type TrustOptions,
} from '../policy/authorize-image.ts';
import { pinImageMounts } from '../policy/image-mounts.ts';
import { namesUsed } from '../policy/trust-names.ts';
import { trustAttributes, trustRecord } from '../policy/trust-record.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { ConfidentialRequest } from '../record/confidential-request.ts';
import { teeAttributes } from '../record/tee-names.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { askedPorts } from '../spec/asked-ports.ts';
import { resolveBoxLinks } from '../spec/box-links.ts';
import { checkResources } from '../spec/check-resources.ts';
import { checkEgress, expectLimits } from '../spec/egress.ts';
import { resolveEndpoints } from '../spec/endpoints.ts';
import { checkServers } from '../spec/resolver.ts';
import { checkVolumes } from '../spec/volumes.ts';
import { foreignArchitecture } from './architecture.ts';
import { recordSources } from './binds.ts';
import { checkEngineMounts, chooseEngine } from './check-engine.ts';
import { checkSpec } from './check-spec.ts';
import type { CreateRequest } from './create-request.ts';
import { checkEgressSecrets, keepSecrets, keptSecrets, recordedSecrets } from './egress-secrets.ts';
import {
  checkVolumeDriver,
  type Mounts,
  makeVolumes,
  mountsOf,
  withImageVolumes,
} from './mounts.ts';
import { planBox } from './plan.ts';
import { checkNewName, type RecordHost, recordBox, type Unique } from './record-box.ts';

/** What the creation of a box needs of the server. */
export type CreateHost = RecordHost &
  AuthorizationHost &
  Pick<Services, 'boot' | 'engine' | 'host' | 'networks' | 'volumes'>;

/**
 * @throws A3sError for options that do not fit and for a refused image, before anything is changed
 */
export async function createBox(
  rt: CreateHost,
  request: CreateRequest,
  options: TrustOptions = {},
): Promise<Box> {
  const name = checkNewName(rt, request.name);
  checkResources(request, rt.host);
  const endpoints = resolveEndpoints(rt, request);
  checkEgress(request);
  checkServers(request);
  const boxLinks = resolveBoxLinks(rt, request);
  checkEgressSecrets(request);
  await expectLimits(rt.networks, request.egress);
  const asked = request.confidential;
  const wanted = sealedMounts(rt, mountsOf(rt, request), asked);
  if (asked !== undefined) checkConfidential({ ...request, ...wanted }, asked);
  const engine = await chooseEngine(rt, request);
  const image = await rt.images.resolve(request.image);
  const architecture = foreignArchitecture(image, rt.host, request);
  if (architecture !== undefined) {
    requireFeature(engine?.name, 'architecture', `create a box of linux/${architecture}`);
  }
  checkVolumes(image.config.volumes);
  const mounts = withImageVolumes(rt, wanted, request, image);
  checkVolumeDriver(request.volumeDriver, mounts);
  await checkEngineMounts(rt, engine, mounts);
  const names = namesUsed(request.image, image);
  const trust = trustRecord(
    await authorizeImage(
      rt,
      { image, reference: request.image, names, confidential: asked !== undefined },
      options,
    ),
  );
  const imageMounts = await pinImageMounts(rt, request.imageMounts, options);
  const planned = planBox(request, image);
  const ports = portsOf(request, image);
  askedPorts({ network: request.network, ...ports });
  const { hostname } = request;
  checkHealth(planned, asked);
  // A host name that is made of the id cannot fail this check, so a default stands for it.
  checkSpec({ ...planned, hostname: hostname ?? DEFAULT_HOSTNAME }, image.config);
  const bootSet = await rt.boot.current(asked?.bootSet, architecture);
  const confidential =
    asked === undefined
      ? {}
      : await planConfidential(rt, {
          planned: {
            ...planned,
            ...{ sealedVolumes: wanted.volumeMounts, endpoints: request.endpoints },
          },
          ...{ hostname, asked, image, bootSet },
        });
  const binds = await recordSources(mounts.binds);
  const secrets = keptSecrets(request);
  await using made = await makeVolumes(rt.volumes, mounts.volumeMounts);
  const define = (unique: Unique): BoxDefinition => ({
    ...unique,
    bootSet,
    ...(architecture === undefined ? {} : { architecture }),
    ...(engine === undefined ? {} : { engine }),
    image: {
      reference: request.image,
      id: image.id,
      manifestDigest: image.manifestDigest,
      names: [...names],
    },
    trust,
    ...planned,
    hostname: hostname ?? unique.id.slice(0, 12),
    labels: { ...image.config.labels, ...request.labels },
    endpoints,
    ...(boxLinks.length === 0 ? {} : { boxLinks }),
    ...recordedSecrets(secrets),
    ...(request.networkMode === undefined ? {} : { networkMode: request.networkMode }),
    ...ports,
    binds,
    volumeMounts: [...made.mounts],
    imageMounts,
    ...(request.volumeDriver === undefined ? {} : { volumeDriver: request.volumeDriver }),
    volumesFrom: request.mountsFrom.map(({ text }) => text),
    volumes: [...new Set([...image.config.volumes, ...request.volumes])],
    ...confidential,
  });
  const fill = async ({ id }: BoxDefinition): Promise<void> => {
    await made.ensure();
    await keepSecrets(rt, id, secrets);
  };
  const box = await recordBox(rt, name, define, fill, { incomplete: secrets !== undefined });
  made.keep();
  const { tee } = box.definition.confidential ?? {};
  if (tee !== undefined) rt.engine.expectConfidential(tee);
  publish(rt, box, 'create', { ...trustAttributes(trust), ...teeAttributes(box) });
  return box;
}

/**
 * @throws A3sError `unsupported-option`, `invalid-argument` for volumes that are, or are not,
 * sealed
 */
function sealedMounts(
  { volumes }: Pick<Services, 'volumes'>,
  { binds, volumeMounts }: Mounts,
  confidential: CreateRequest['confidential'],
): Mounts {
  checkSealed(volumeMounts, confidential);
  for (const { name, sealed } of volumeMounts) {
    if (name !== undefined) volumes.expectSealed(name, sealed !== undefined);
  }
  return { binds, volumeMounts: withIds(volumes, volumeMounts) };
}

function portsOf({ ports, exposedPorts, publishAll }: CreateRequest, { config }: Image) {
  return {
    ports: [...ports],
    exposedPorts: [...new Set([...exposedPorts, ...config.exposedPorts])],
    ...(publishAll ? { publishAll } : {}),
  };
}

/**
 * Refuses a health check that the launch spec does not permit the host to run.
 *
 * @throws A3sError `host-not-permitted`
 */
function checkHealth(
  { health }: Pick<BoxDefinition, 'health'>,
  confidential: Pick<ConfidentialRequest, 'hostMay'> | undefined,
): void {
  if (health === undefined || (confidential?.hostMay.includes('exec') ?? true)) return;
  throw new A3sError(
    'host-not-permitted',
    'Cannot create the box: its health check is a program that the host has run in it, which the launch spec of this confidential box does not let the host',
    { remedy: 'Leave it out with --no-healthcheck, or create the box with --host-may exec.' },
  );
}
