/**
 * Creates a container: everything is checked, then one record and one disk are made. The guest
 * learns of it when it is started.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Pids } from '@a3s-box/policies';
import { mergeCommand } from '../../boxes/create/plan.ts';
import { ensureWritableLayer } from '../../boxes/disks/writable-layer.ts';
import { authorizeImage } from '../../boxes/policy/authorize-image.ts';
import { pinImageMounts } from '../../boxes/policy/image-mounts.ts';
import { namesUsed } from '../../boxes/policy/trust-names.ts';
import { trustRecord } from '../../boxes/policy/trust-record.ts';
import { now, timestamp } from '../../boxes/record/clock.ts';
import { pinnedImage } from '../../boxes/record/pinned-image.ts';
import { mergeEnvironment, processEnvironment } from '../../boxes/spec/environment.ts';
import { parseSignal } from '../../boxes/spec/signal.ts';
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import { podLaunchSpec } from '../confidential/pod-launch-spec.ts';
import { expectNamed } from '../confidential/request-container.ts';
import type { PodHost } from '../pod-host.ts';
import type { Container, ContainerDefinition } from '../record/container.ts';
import { containerDisk } from '../record/directories.ts';
import type { Pod } from '../record/pod.ts';
import type { ContainerRequest } from './container-request.ts';
import { checkContainer } from './describe-container.ts';
import { expectParts } from './expect-parts.ts';
import { expectReady } from './expect-ready.ts';

const STOP_SIGNAL = 'SIGTERM';

/**
 * @throws A3sError `no-such-pod`; `conflict` for a pod that is not ready; `name-in-use`;
 * `no-such-image` and `image-untrusted`; `invalid-argument`; nothing is left then
 */
export async function createContainer(
  rt: PodHost,
  pod: string,
  request: ContainerRequest,
): Promise<Container> {
  const ready = expectReady(rt, pod);
  const { definition } = ready;
  const { confidential } = definition;
  if (request.mounts.length > 0 && confidential === undefined) expectMounts(ready);
  const image = await rt.images.resolve(request.image);
  const names = namesUsed(request.image, image);
  const subject = {
    image,
    reference: request.image,
    names,
    confidential: confidential !== undefined,
  };
  const trust = trustRecord(await authorizeImage(rt, subject));
  const imageMounts = await pinImageMounts(rt, request.imageMounts);
  await expectParts(rt, imageMounts);
  return await rt.locks.run(pod, async () => {
    expectReady(rt, pod);
    const created: ContainerDefinition = {
      id: randomBytes(32).toString('hex'),
      pod,
      createdAt: timestamp(now()),
      image: {
        ...{ reference: request.image, userReference: request.userImage },
        ...{ id: image.id, manifestDigest: image.manifestDigest, names: [...names] },
      },
      trust,
      ...planContainer(definition, request, image),
      ...{ imageMounts, pids: pidsOf(rt, pod, request) },
    };
    if (confidential === undefined) checkContainer(created);
    else expectNamed(podLaunchSpec(confidential), created);
    const container = rt.pods.insertContainer(created);
    const { id, image: pinned } = created;
    const disk = containerDisk(rt, created);
    try {
      // What a confidential container writes is kept in its guest's memory.
      if (confidential === undefined) await ensureWritableLayer(disk, definition.identity);
      // It could be removed, or replaced, until the record held it.
      for (const image of [pinned, ...imageMounts.map((mount) => mount.image)]) {
        await pinnedImage(rt, { image });
      }
      return container;
    } catch (error) {
      await undoCreation(rt, { id, disk });
      throw error;
    }
  });
}

/**
 * @throws A3sError `no-such-container`, `conflict` for another container that is not there to join
 */
function pidsOf(
  rt: Pick<PodHost, 'pods'>,
  pod: string,
  { pids }: ContainerRequest,
): Pids | undefined {
  if (pids?.kind !== 'container') return pids;
  const { definition, state } = rt.pods.expectContainer(rt.pods.fullId('container', pids.id));
  const reason =
    definition.pod !== pod ? `it is of the pod ${definition.pod}` : `it is ${state.status}`;
  if (definition.pod === pod && state.status === 'running') return { ...pids, id: definition.id };
  throw new A3sError('conflict', `Cannot share the processes of ${definition.id}: ${reason}`, {
    remedy: 'Name a container that runs in this pod: crictl ps --pod POD',
  });
}

/** Never rejects: why the container was not created counts. The next server removes a disk. */
async function undoCreation(
  rt: Pick<PodHost, 'pods' | 'log'>,
  { id, disk }: { readonly id: string; readonly disk: string },
): Promise<void> {
  try {
    rt.pods.removeContainer(id);
    await rm(disk, { force: true });
  } catch (error) {
    rt.log.error('a container that was not created has left something', error, { container: id });
  }
}

/** @throws A3sError `unsupported-option` for a pod whose microVM has no place for mounts */
function expectMounts({ state: { mounts } }: Pod): void {
  if (mounts === true) return;
  throw new A3sError('unsupported-option', 'Cannot mount paths of the node into this pod', {
    remedy: 'It takes a server that root has started, and a pod that it has run.',
  });
}

/** All but what the store, or another container, decides. */
export type PlannedRequest = Omit<ContainerRequest, 'image' | 'userImage' | 'imageMounts' | 'pids'>;

type NotOfImage = 'id' | 'pod' | 'createdAt' | 'image' | 'trust' | 'pids' | 'imageMounts';

/** The request, with what the image says. @throws A3sError `invalid-argument` */
export function planContainer(
  { hostname }: Pick<Pod['definition'], 'hostname'>,
  request: PlannedRequest,
  image: Pick<Image, 'config'>,
): Omit<ContainerDefinition, NotOfImage> {
  const { config } = image;
  const { command, args, env, terminal, stdin, workingDir } = request;
  const { entrypoint, cmd } = mergeCommand(
    { entrypoint: command.length === 0 ? undefined : command, cmd: args },
    image,
  );
  if (entrypoint.length + cmd.length === 0) {
    throw new A3sError('invalid-argument', 'Cannot create the container: no command specified', {
      remedy: 'Name a command: the image has none.',
    });
  }
  const { metadata, mounts, stdinOnce, readonlyRootfs } = request;
  const { confinement, resources, askedLimits } = request;
  const cwd = workingDir === '' ? config.workingDir : workingDir;
  return {
    ...{ metadata, stdinOnce, readonlyRootfs, confinement, resources, askedLimits },
    mounts: [...mounts],
    process: {
      args: [...entrypoint, ...cmd],
      env: processEnvironment(hostname, terminal, mergeEnvironment(env, config.env)),
      // OCI working directories may be relative to the root.
      cwd: cwd.startsWith('/') ? cwd : `/${cwd}`,
      user: request.user ?? config.user,
      ...{ terminal, stdin },
    },
    labels: { ...request.labels },
    annotations: { ...request.annotations },
    logPath: request.logPath,
    stopSignal: request.stopSignal ?? parseSignal(config.stopSignal ?? STOP_SIGNAL),
  };
}
