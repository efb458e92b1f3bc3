import { afterEach, describe, expect, it } from 'vitest';
import { ContainerState } from '../api/enums.ts';
import { RuntimeService } from '../grpc/library.ts';
import { servePod } from '../testing/serve-pod.ts';

const { stopPodSandbox } = RuntimeService.method;
const { CONTAINER_EXITED } = ContainerState;
const INVALID = 3;

const pod = servePod();

describe('mounts', () => {
  const mounts = [
    { hostPath: '/var//lib/token', containerPath: '/run/token/', readonly: true },
    { hostPath: '/srv', containerPath: '/srv', readonly: true, recursiveReadOnly: true },
  ];
  const all = () => pod.home.podMounts.mounted.get(pod.id);
  afterEach(() => {
    pod.home.podMounts.available = false;
    pod.home.podMounts.writableBelow = false;
  });
  const runAgain = async () => {
    await pod.removePod();
    pod.home.podMounts.available = true;
    pod.id = await pod.run();
  };

  it('mounts paths of the node in the share of the pod, from the start of a container to its end', async () => {
    await runAgain();
    expect(pod.home.host.vm(pod.id)?.spec.shares).toEqual([
      { tag: 'pod', path: `/run/pods/${pod.id}`, readonly: false, mountsBelow: true },
    ]);
    const id = await pod.create('web', ['sleep', 'infinity'], { mounts });
    expect(all()?.size).toBe(0);
    await pod.startContainer(id);
    expect(all()?.get(id)).toEqual([
      ...[
        {
          hostPath: '/var/lib/token',
          containerPath: '/run/token',
          readonly: true,
          recursive: false,
        },
      ],
      ...[{ hostPath: '/srv', containerPath: '/srv', readonly: true, recursive: true }],
    ]);
    expect(pod.guest?.specs.get(id)?.mounts).toEqual([
      ...[
        {
          kind: 'virtiofs',
          tag: 'pod',
          file: `${id.slice(0, 12)}-0`,
          destination: '/run/token',
          readonly: true,
        },
      ],
      ...[
        {
          kind: 'virtiofs',
          tag: 'pod',
          file: `${id.slice(0, 12)}-1`,
          destination: '/srv',
          readonly: true,
        },
      ],
    ]);
    expect((await pod.statusOf(id))?.mounts).toMatchObject([
      { hostPath: '/var/lib/token', recursiveReadOnly: false },
      { hostPath: '/srv', recursiveReadOnly: true },
    ]);
    await pod.stop(id, 0n);
    expect(all()?.size).toBe(0);
    await pod.client.call(stopPodSandbox, { podSandboxId: pod.id });
    expect(all()).toBeUndefined();
  });

  it('leaves a mount writable in the guest, below which something can be written', async () => {
    await runAgain();
    pod.home.podMounts.writableBelow = true;
    const id = await pod.create('web', ['sleep', 'infinity'], { mounts });
    await pod.startContainer(id);
    expect(pod.guest?.specs.get(id)?.mounts).toMatchObject([
      { destination: '/run/token', readonly: false },
      { destination: '/srv', readonly: true },
    ]);
    await pod.stop(id, 0n);
  });

  it('fails a start whose mounts the node does not have, and undoes it', async () => {
    await runAgain();
    const id = await pod.create('web', ['sleep', '1'], {
      mounts: [{ hostPath: '/missing', containerPath: '/a' }],
    });
    await expect(pod.startContainer(id)).rejects.toThrow('bind-source-missing');
    expect(await pod.statusOf(id)).toMatchObject({ state: CONTAINER_EXITED, reason: 'StartError' });
    expect(all()?.size).toBe(0);
  });

  it('refuses mounts of a pod whose server can mount nothing', async () => {
    await expect(pod.create('web', ['sleep', '1'], { mounts })).rejects.toMatchObject({
      code: INVALID,
      details: expect.stringContaining('Cannot mount paths of the node into this pod'),
    });
  });
});
