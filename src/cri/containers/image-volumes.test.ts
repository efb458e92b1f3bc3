import { expect, it } from 'vitest';
import { allow, deny } from '../../server/testing/signed-images.ts';
import { ContainerState } from '../api/enums.ts';
import { ImageService, RuntimeService } from '../grpc/library.ts';
import { servePod } from '../testing/serve-pod.ts';

const INVALID = 3;
const FAILED_PRECONDITION = 9;
const NOT_FOUND = 5;

const pod = servePod();

const volumes = (...paths: (readonly [string, string])[]) => ({
  mounts: paths.map(([containerPath, imageSubPath]) => ({
    ...{ image: { image: 'busybox' }, readonly: true, containerPath, imageSubPath },
  })),
});

it('shows a container another image, read-only, as a whole and in part', async () => {
  const id = await pod.started('web', undefined, volumes(['/tools/', ''], ['/etc/app', 'etc//x/']));
  const name = id.slice(0, 12);
  // The layers are attached once for both mounts.
  expect(pod.disks?.get(name)?.map(({ serial, readonly }) => [serial, readonly])).toEqual([
    [`${name}-l0`, true],
    [`${name}-i0-0`, true],
    [`${name}-changes`, false],
  ]);
  const layers = [{ serial: `${name}-i0-0` }];
  expect(pod.guest?.specs.get(id)?.mounts).toEqual([
    { kind: 'image', layers, destination: '/tools', readonly: true },
    { kind: 'image', layers, destination: '/etc/app', readonly: true, subpath: 'etc/x' },
  ]);
  expect((await pod.statusOf(id))?.mounts).toMatchObject([
    { containerPath: '/tools', image: { image: 'busybox' }, imageSubPath: '', readonly: true },
    { containerPath: '/etc/app', image: { image: 'busybox' }, imageSubPath: 'etc/x' },
  ]);
});

it('creates no container for a part that the image does not have', async () => {
  await expect(pod.create('web', undefined, volumes(['/a', 'etc/none']))).rejects.toMatchObject({
    code: INVALID,
    details: expect.stringContaining('Cannot mount etc/none of the image busybox'),
  });
  expect((await pod.client.call(RuntimeService.method.listContainers, {})).containers).toEqual([]);
});

it('names the id of a mounted image in the status, as of the container’s own', async () => {
  const id = await pod.create('web', undefined, volumes(['/tools', '']));
  const status = await pod.statusOf(id);
  expect(status?.imageId).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(status?.mounts[0]?.image).toMatchObject({ image: 'busybox', imageRef: status?.imageId });
});

it('shows no image that the policy refuses, and none that is not there', async () => {
  pod.home.trust.rules = [deny('**')];
  const refused = { details: expect.stringMatching(/^SignatureValidationFailed: /) };
  try {
    await expect(pod.create('evil', undefined, volumes(['/a', '']))).rejects.toMatchObject(refused);
  } finally {
    pod.home.trust.rules = [allow('**')];
  }
  const missing = {
    mounts: [{ image: { image: 'nothing' }, readonly: true, containerPath: '/a' }],
  };
  await expect(pod.create('none', undefined, missing)).rejects.toMatchObject({ code: NOT_FOUND });
});

it('decides again at the start, and keeps the image until the container is removed', async () => {
  const id = await pod.create('later', undefined, volumes(['/a', '']));
  pod.home.trust.rules = [deny('**')];
  try {
    await expect(pod.startContainer(id)).rejects.toMatchObject({
      details: expect.stringMatching(/^SignatureValidationFailed: /),
    });
  } finally {
    pod.home.trust.rules = [allow('**')];
  }
  expect(await pod.stateOf(id)).toBe(ContainerState.CONTAINER_CREATED);
  const removal = pod.client.call(ImageService.method.removeImage, { image: { image: 'busybox' } });
  await expect(removal).rejects.toMatchObject({ code: FAILED_PRECONDITION });
  await pod.client.call(RuntimeService.method.removeContainer, { containerId: id });
});
