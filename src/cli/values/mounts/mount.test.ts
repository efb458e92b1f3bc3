// Mounts beside those that Docker's own command line sends, and its refusals.
import { describe, expect, it } from 'vitest';
import { Mount } from '../../../docker-api/containers/mount.ts';
import { docker } from '../../../server/testing/docker.ts';
import { transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';
import { PROPAGATIONS, parseMount } from './mount.ts';

const { server, socket } = serveFake();

/** What a client asked for. */
function sent(): unknown {
  return JSON.parse(server.called('POST /containers/create')?.body ?? '{}').HostConfig?.Mounts;
}

describe('parseMount', () => {
  it.each([
    'target=/b',
    'type=bind,source=/a,target=/b',
    'TYPE=Bind,src=./a,dst=/b',
    'type=bind,src=.,destination=/b,readonly',
    'type=bind,src=../a,dst=/b,ro=1',
    'type=bind,src=/a,dst=/b,readonly=true,ro=false',
    '"src=a,b","dst=/b ""c"""',
    'src=data,dst=/b,consistency=Cached',
    'type=bind,src=/a,dst=/b,bind-propagation=RSlave',
    'type=bind,src=/a,dst=/b,bind-propagation=',
    'type=bind,src=/a,dst=/b,bind-nonrecursive',
    'type=bind,src=/a,dst=/b,bind-nonrecursive=0',
    'type=bind,src=/a,dst=/b,bind-recursive=enabled',
    'type=bind,src=/a,dst=/b,bind-recursive=disabled',
    'type=bind,src=/a,dst=/b,ro,bind-recursive=writable',
    'type=bind,src=/a,dst=/b,ro,bind-recursive=readonly,bind-propagation=rprivate',
    'src=data,dst=/b,bind-recursive=enabled',
    'src=data,dst=/b,volume-nocopy',
    'src=data,dst=/b,volume-nocopy=false,volume-subpath=',
    'src=data,dst=/b,volume-label=a=b=c,volume-label=d,volume-label==e',
    'src=data,dst=/b,volume-subpath=a/b,ro',
    'type=image,source=busybox:1,target=/b',
    'type=tmpfs,dst=/b',
    'type=tmpfs,dst=/b,readonly,tmpfs-size=1.5g,tmpfs-mode=1770',
    'type=tmpfs,dst=/b,tmpfs-size=0,tmpfs-mode=0',
    'type=tmpfs,dst=/b,tmpfs-mode=37777777777',
    'dst=/b,volume-driver=local,volume-opt=type=tmpfs,volume-opt=o,volume-opt==x',
  ])('sends for %s what Docker sends', async (text) => {
    const args = ['create', '--mount', text, 'img'];
    expect(await docker(socket, args)).toMatchObject({ code: 0 });
    const theirs = sent();
    expect(theirs).toHaveLength(1);
    server.calls.length = 0;
    expect(await transcript(socket, args, { cwd: process.cwd() })).toMatchObject({ status: 0 });
    expect(sent()).toEqual(theirs);
    expect(() => Mount.parse((theirs as readonly unknown[])[0])).not.toThrow();
  });

  it.each([
    '',
    'type=bind',
    '"type=bind',
    'a"b',
    '"a"b',
    '\n\ntype=bind\ntarget=/b',
    'type=,target=/b',
    'type=bind,source=/a',
    'foo',
    'target=/b,',
    'target',
    'volume-opt',
    'foo=1,target=/b',
    'constructor=1,target=/b',
    ' type=bind,target=/b',
    'readonly=x,target=/b',
    'ro=yes,target=/b',
    'volume-nocopy=x,target=/b',
    'type=bind,target=/b,bind-nonrecursive=x',
    'type=bind,target=/b,bind-recursive=no',
    'type=bind,target=/b,bind-recursive=writable',
    'type=bind,target=/b,bind-recursive=readonly',
    'type=bind,target=/b,ro,bind-recursive=readonly,bind-propagation=rslave',
    'type=bind,target=/b,volume-nocopy',
    'type=tmpfs,target=/b,volume-label=a',
    'target=/b,bind-propagation=rslave',
    'target=/b,tmpfs-size=1m',
    'type=bind,target=/b,tmpfs-mode=755',
    'type=tmpfs,target=/b,tmpfs-size=x',
    'type=tmpfs,target=/b,tmpfs-mode=9',
  ])("refuses %j in Docker's words", async (text) => {
    const args = ['create', '--mount', text, 'img'];
    const theirs = await docker(socket, args);
    expect(theirs.code).toBe(125);
    const ours = await transcript(socket, args);
    const [first] = theirs.stderr.split('\n');
    expect(ours.stderr).toContain(`a3s-box: ${first} (invalid-argument)\n`);
    expect(ours.status).toBe(125);
    expect(server.calls.filter(({ call }) => call.startsWith('POST'))).toEqual([]);
  });

  it('sends the part of an image, and refuses it of another kind', async () => {
    const text = 'type=image,src=app,dst=/b,image-subpath=usr';
    expect(await transcript(socket, ['create', '--mount', text, 'img'])).toMatchObject({
      status: 0,
    });
    expect(sent()).toEqual([
      { Type: 'image', Source: 'app', Target: '/b', ImageOptions: { Subpath: 'usr' } },
    ]);
    const mixed = await transcript(socket, ['create', '--mount', 'dst=/b,image-subpath=a', 'img']);
    expect(mixed.stderr).toContain("cannot mix 'image-*' options with mount type 'volume'");
  });

  it.each([
    ['type=npipe,source=x,target=/b', 'unsupported mount type npipe'],
    ['type=cluster,source=x,target=/b', 'unsupported mount type cluster'],
  ])('refuses %s by name', async (text, why) => {
    const done = await transcript(socket, ['run', '--mount', text, 'img']);
    expect(done.stderr).toContain(
      `a3s-box: ${why} in --mount: a box mounts host paths, volumes, images and memory`,
    );
    expect(done.stderr).toContain('(unsupported-option)\n');
    expect(done.status).toBe(125);
    expect(server.log).toEqual([]);
  });

  it.each([
    ['type=foo,target=/b', 'invalid mount config for type "foo": mount type unknown'],
    [
      'type=bind,src=/a,target=/b,bind-propagation=far',
      'invalid mount config for type "bind": invalid propagation mode: far',
    ],
  ])("refuses %s in the words of Docker's server", (text, why) => {
    expect(() => parseMount(text, '/')).toThrow(new RangeError(why));
  });

  it('knows every propagation of the schema', () => {
    expect(Mount.shape.BindOptions.unwrap().shape.Propagation.unwrap().options).toEqual(
      PROPAGATIONS,
    );
  });
});
