import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { A3sError } from '../../errors.ts';
import { allow, deny } from '../../server/testing/signed-images.ts';
import { ContainerState, MountPropagation, Signal } from '../api/enums.ts';
import { RuntimeService } from '../grpc/library.ts';
import { servePod } from '../testing/serve-pod.ts';

const { runPodSandbox, removePodSandbox, stopPodSandbox, createContainer, listContainers } =
  RuntimeService.method;
const { PROPAGATION_HOST_TO_CONTAINER } = MountPropagation;
const { CONTAINER_CREATED } = ContainerState;
const INVALID = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

const pod = servePod();

describe('CreateContainer', () => {
  it('makes a record and a disk, of which the guest does not know', async () => {
    const id = await pod.create('web', ['sleep', '1'], {
      labels: { app: 'x' },
      logPath: 'web/0.log',
      stopSignal: Signal.SIGQUIT,
    });
    expect(await pod.statusOf(id)).toMatchObject({
      id,
      state: CONTAINER_CREATED,
      metadata: { name: 'web', attempt: 0 },
      image: { image: 'busybox', userSpecifiedImage: 'busybox:latest' },
      imageRef: expect.stringMatching(/^sha256:/),
      labels: { app: 'x' },
      startedAt: 0n,
      stopSignal: Signal.SIGQUIT,
    });
    expect([pod.guest?.all.size, pod.disks?.size]).toEqual([0, 0]);
    expect(readdirSync(join(pod.home.config.home, 'pods', pod.id))).toEqual([`${id}.ext4`]);
    await expect(pod.create('web', ['true'])).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
      details: expect.stringContaining(id),
    });
  });

  it('refuses an image that the policy refuses, and one that is not there', async () => {
    pod.home.trust.rules = [deny('**')];
    try {
      await expect(pod.create('evil', ['true'])).rejects.toMatchObject({
        details: expect.stringMatching(/^SignatureValidationFailed: /),
      });
    } finally {
      pod.home.trust.rules = [allow('**')];
    }
    const image = { image: { image: 'nothing' } };
    await expect(pod.create('none', ['true'], image)).rejects.toMatchObject({ code: NOT_FOUND });
    expect((await pod.client.call(listContainers, {})).containers).toEqual([]);
  });

  it.each([
    [
      'mounts.image_sub_path',
      {
        mounts: [
          {
            image: { image: 'busybox' },
            imageSubPath: '../a',
            containerPath: '/a',
            readonly: true,
          },
        ],
      },
    ],
    ['mounts.readonly', { mounts: [{ image: { image: 'busybox' }, containerPath: '/a' }] }],
    [
      'mounts.host_path',
      {
        mounts: [
          { image: { image: 'busybox' }, hostPath: '/a', containerPath: '/a', readonly: true },
        ],
      },
    ],
    [
      'mounts.image_sub_path',
      { mounts: [{ hostPath: '/a', imageSubPath: 'a', containerPath: '/a' }] },
    ],
    [
      'mounts.propagation',
      {
        mounts: [
          { hostPath: '/a', containerPath: '/a', propagation: PROPAGATION_HOST_TO_CONTAINER },
        ],
      },
    ],
    ['devices', { devices: [{ hostPath: '/dev/kvm', containerPath: '/dev/kvm' }] }],
    ['envs', { envs: [{ key: 'a=b', value: new Uint8Array() }] }],
    ['log_path', { logPath: '../log' }],
    ['dev.a3s.egress', { annotations: { 'dev.a3s.egress': 'none' } }],
  ])('refuses %s that no container can have', async (field, more) => {
    const logs = { logDirectory: '/var/log/pod' };
    const metadata = { name: 'logged', uid: 'uid', namespace: 'default', attempt: 0 };
    const { podSandboxId } = await pod.client.call(runPodSandbox, {
      config: { metadata, ...logs },
    });
    const config = { metadata: { name: 'c' }, image: { image: 'busybox' }, ...more };
    await expect(pod.client.call(createContainer, { podSandboxId, config })).rejects.toMatchObject({
      code: INVALID,
      details: expect.stringContaining(field),
    });
    await pod.client.call(removePodSandbox, { podSandboxId });
  });

  it('refuses a privileged container of a pod that is not', async () => {
    const linux = { securityContext: { privileged: true } };
    await expect(pod.create('root', ['true'], { linux })).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
    });
  });

  it('leaves nothing where the image is gone once the disk is made', async () => {
    const { pods, images } = pod.home.runtime;
    const insert = pods.insertContainer.bind(pods);
    vi.spyOn(pods, 'insertContainer').mockImplementationOnce((made) => {
      const gone = new A3sError('no-such-image', 'No such image: busybox');
      vi.spyOn(images, 'resolve').mockRejectedValueOnce(gone);
      return insert(made);
    });
    await expect(pod.create('web', ['true'])).rejects.toMatchObject({ code: NOT_FOUND });
    expect(readdirSync(join(pod.home.config.home, 'pods', pod.id))).toEqual([]);
    await pod.create('web', ['true']);
  });

  it('refuses a container of a pod that is stopped', async () => {
    await pod.client.call(stopPodSandbox, { podSandboxId: pod.id });
    await expect(pod.create('late', ['true'])).rejects.toMatchObject({ code: FAILED_PRECONDITION });
  });
});
