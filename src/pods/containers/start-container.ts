/**
 * Starts a container that was created: its disks are attached, its guest gets the spec, and its
 * main process begins. A container starts once.
 *
 * @module
 */
import type { PodLaunchSpec } from '@a3s-box/policies';
import { ensureWritableLayer } from '../../boxes/disks/writable-layer.ts';
import { authorizeImage } from '../../boxes/policy/authorize-image.ts';
import { authorizeImageMounts } from '../../boxes/policy/image-mounts.ts';
import { now, timestamp } from '../../boxes/record/clock.ts';
import { pinnedImage } from '../../boxes/record/pinned-image.ts';
import { mountImages } from '../../boxes/start/mount-images.ts';
import { A3sError } from '../../errors.ts';
import type { Process } from '../../guest/protocol.ts';
import type { VerityLayer } from '../../images/image.ts';
import { containerDisks } from '../confidential/container-disks.ts';
import { podLaunchSpec } from '../confidential/pod-launch-spec.ts';
import { requestOf } from '../confidential/request-container.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { ContainerOutput } from '../logs/container-output.ts';
import type { PodHost } from '../pod-host.ts';
import type { Container } from '../record/container.ts';
import { containerDisk } from '../record/directories.ts';
import {
  type DescribedContainer,
  describeContainer,
  diskName,
  imageSerials,
} from './describe-container.ts';
import { leaveGuest, recordNoStart } from './end-container.ts';
import { expectReady } from './expect-ready.ts';
import { followContainer } from './follow-container.ts';
import { openOutput } from './open-output.ts';
import { takeSlots } from './take-slots.ts';

/**
 * @throws A3sError `no-such-container`; `conflict` where it was started before, or the pod is not
 * ready; `image-untrusted`; what the agent refuses, such as `command-not-found`. The container has
 * exited then, unless nothing of it was begun.
 */
export async function startContainer(rt: PodHost, id: string): Promise<void> {
  const { pod } = rt.pods.expectContainer(id).definition;
  await rt.locks.run(pod, async () => {
    const container = expectCreated(rt, id);
    const { identity, confidential } = expectReady(rt, pod).definition;
    const running = rt.runningPods.expect(pod);
    const { image: pinned } = container.definition;
    const image = await pinnedImage(rt, { image: pinned });
    const { reference, names } = pinned;
    const isConfidential = confidential !== undefined;
    await authorizeImage(rt, { image, reference, names, confidential: isConfidential });
    const { mounts, imageMounts } = container.definition;
    await authorizeImageMounts(rt, imageMounts);
    rt.pods.advanceContainer(id, 'start');
    let output: ContainerOutput | undefined;
    try {
      output = await openOutput(rt, running, id);
      const enter = async (): Promise<Process> => {
        if (confidential !== undefined) {
          const spec = podLaunchSpec(confidential);
          return await enterConfidential(running, container, {
            spec,
            layers: await rt.images.verityLayers(image),
          });
        }
        const layers = await rt.images.bootLayers(image);
        const disk = containerDisk(rt, container.definition);
        // A server that ended between record and disk has made none, and its client may know the
        // id.
        const inSlots = await takeSlots(rt, container, layers);
        await ensureWritableLayer(disk, identity);
        const images = await mountImages(rt, imageMounts, imageSerials(id));
        const writable = await rt.podMounts.add(pod, id, mounts);
        const given = { layers, disk, inSlots, images, writable };
        const described = describeContainer(container.definition, given);
        return await enterGuest(running, container, described);
      };
      const { user } = await enter();
      rt.pods.advanceContainer(id, 'started', { startedAt: timestamp(now()), user });
    } catch (error) {
      await output?.close();
      // A server that stops leaves it to the next one.
      if (!running.released) await undoStart(rt, running, { id, error });
      throw error;
    }
    followContainer(rt, running, id, output);
  });
}

function expectCreated(rt: Pick<PodHost, 'pods'>, id: string): Container {
  const container = rt.pods.expectContainer(id);
  const { status } = container.state;
  if (status === 'created') return container;
  throw new A3sError('conflict', `Cannot start the container ${id}: it is ${status}`, {
    remedy: 'Create another one: crictl create POD CONTAINER.json POD.json',
  });
}

/** The guest waits for disks that it does not have, so all is asked for at once. */
async function enterGuest(
  running: RunningPod,
  { definition: { id } }: Container,
  { slots, disks, spec }: DescribedContainer,
): Promise<Process> {
  const guest = await running.guest();
  if (slots.length > 0) await running.vm.attach(slots);
  if (disks.length > 0) await running.vm.attachDisks(diskName(id), disks);
  const container = guest.container(id);
  await container.put(spec, running.signal);
  return await container.startMain(running.signal);
}

/**
 * The guest decides by the launch spec of its pod, and takes all but what Kubernetes adds from
 * there. The layers stay attached for the next start of the same container.
 */
async function enterConfidential(
  running: RunningPod,
  { definition }: Container,
  { spec, layers }: { readonly spec: PodLaunchSpec; readonly layers: readonly VerityLayer[] },
): Promise<Process> {
  const { name, disks } = containerDisks(spec, definition.metadata.name, layers);
  const guest = await running.guest();
  await running.vm.attachDisks(name, disks);
  const container = guest.container(definition.id);
  await container.request(requestOf(definition), running.signal);
  return await container.startMain(running.signal);
}

async function undoStart(
  rt: PodHost,
  running: RunningPod,
  { id, error }: { readonly id: string; readonly error: unknown },
): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  recordNoStart(rt, id, message);
  await leaveGuest(rt, running, id);
}
