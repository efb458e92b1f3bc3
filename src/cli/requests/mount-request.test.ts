import { expect, it } from 'vitest';
import { docker } from '../../server/testing/docker.ts';
import { transcript } from '../testing/fake-context.ts';
import { serveFake } from '../testing/serve-fake.ts';

const { server, socket } = serveFake();

/** What a client asked for that is about mounts. */
function sent(): unknown {
  const { HostConfig } = JSON.parse(server.called('POST /containers/create')?.body ?? '{}');
  const { Tmpfs, ShmSize, ReadonlyRootfs, StorageOpt } = HostConfig ?? {};
  return { Tmpfs, ShmSize: ShmSize || undefined, ReadonlyRootfs, StorageOpt };
}

it.each([
  [['--tmpfs', '/run', '--tmpfs', '/a:size=1m,mode=1777', '--tmpfs', '/b:x:y']],
  [['--tmpfs', '/run:ro', '--tmpfs', '/run:rw']],
  [['--shm-size', '1.5g', '--read-only']],
  [['--storage-opt', 'size=10G', '--storage-opt', 'a=b=c', '--storage-opt', 'e=']],
])('sends for %j what Docker sends', async (flags) => {
  const args = ['create', ...flags, 'img'];
  expect(await docker(socket, args)).toMatchObject({ code: 0 });
  const theirs = sent();
  server.calls.length = 0;
  expect(await transcript(socket, args, { cwd: process.cwd() })).toMatchObject({ status: 0 });
  const withDefault = { ReadonlyRootfs: false, ...JSON.parse(JSON.stringify(sent())) };
  expect(withDefault).toEqual(JSON.parse(JSON.stringify(theirs)));
});

it.each([
  [['--shm-size', '-1'], "invalid size: '-1'"],
  [['--storage-opt', 'size'], 'invalid storage option'],
])('refuses %j before the server is asked', async (flags, message) => {
  const { status, stderr } = await transcript(socket, ['create', ...flags, 'img'], {
    cwd: process.cwd(),
  });
  expect({ status, stderr }).toMatchObject({
    status: 125,
    stderr: expect.stringContaining(message),
  });
});

it('creates a box by a version of the API that has parts of volumes', async () => {
  const mount = 'type=volume,src=data,dst=/x,volume-subpath=a';
  await transcript(socket, ['create', '--mount', mount, 'img'], { cwd: process.cwd() });
  expect(server.called('POST /containers/create')?.version).toBe('1.45');
});
