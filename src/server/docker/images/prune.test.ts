import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from '../../testing/docker.ts';
import { TestHome } from '../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

async function prune(filters: Record<string, readonly string[]> = {}) {
  const asked = encodeURIComponent(JSON.stringify(filters));
  return await home.call('POST', `/containers/prune?filters=${asked}`);
}

async function listed(): Promise<string[]> {
  const { body } = await home.call('GET', '/containers/json?all=1');
  return (body as { Id: string }[]).map(({ Id }) => Id);
}

describe('POST /containers/prune', () => {
  it('removes boxes that do not run and match the filters', async () => {
    const kept = await home.create(['x'], { Labels: { keep: 'yes' } });
    const gone = await home.create(['x'], { Labels: { keep: 'no' } });
    const runs = await home.create(['sleep', 'infinity']);
    expect((await home.call('POST', `/containers/${runs}/start`)).status).toBe(204);
    expect((await prune({ until: ['1h'] })).body).toMatchObject({ ContainersDeleted: [] });
    expect((await prune({ label: ['other'] })).body).toMatchObject({ ContainersDeleted: [] });
    expect(await prune({ 'label!': ['keep=yes'] })).toMatchObject({
      status: 200,
      body: { ContainersDeleted: [gone], SpaceReclaimed: 0 },
    });
    expect((await listed()).sort()).toEqual([kept, runs].sort());
    expect((await prune()).body).toMatchObject({ ContainersDeleted: [kept] });
    await home.call('DELETE', `/containers/${runs}?force=1`);
  });

  it.each([[{ until: ['x'] }], [{ until: ['1h', '2h'] }], [{ status: ['exited'] }]])(
    'refuses the prune filters %j, and removes nothing',
    async (filters) => {
      const id = await home.create(['x']);
      expect(await prune(filters)).toMatchObject({
        status: 400,
        body: { code: 'invalid-argument' },
      });
      expect(await listed()).toContain(id);
      await home.call('DELETE', `/containers/${id}`);
    },
  );
});

const MTU = 'com.docker.network.driver.mtu=1400';

describe('docker', () => {
  it.each([
    [['system', 'prune', '-f']],
    [['system', 'prune', '-f', '-a', '--volumes']],
    [['container', 'prune', '-f']],
    [['network', 'prune', '-f']],
    [['volume', 'create', 'mine']],
    [['volume', 'inspect', 'mine']],
    [['volume', 'rm', 'mine']],
    [['volume', 'prune', '-f']],
    [['network', 'create', '--subnet', '10.1.2.0/24', '--label', 'a=b', '--opt', MTU, 'mine']],
    [['network', 'inspect', 'mine']],
    [['network', 'rm', 'mine']],
    [['network', 'ls']],
    [['network', 'inspect', 'bridge', 'none']],
    [['volume', 'ls']],
    [['plugin', 'ls']],
    [['info']],
    [['system', 'df', '-v']],
  ])('docker succeeds with %j', async (args) => {
    expect(await docker(home.config.socket, args)).toMatchObject({ code: 0 });
  });

  it.each([
    [['network', 'create', '-d', 'macvlan', 'mine'], 'the driver macvlan is not supported'],
    [['network', 'create', 'host'], 'operation is not permitted on predefined host network'],
    [['network', 'rm', 'bridge'], 'cannot be removed'],
    [['network', 'inspect', 'mine'], 'network mine not found'],
    [['volume', 'inspect', 'gone'], 'no such volume'],
    [['swarm', 'init'], 'Cannot init a swarm'],
    [['service', 'ls'], 'This node is not a swarm manager'],
    [['plugin', 'install', '--grant-all-permissions', 'x/y'], 'Cannot manage plugins'],
  ])('docker %j is refused by name', async (args, words) => {
    const result = await docker(home.config.socket, args);
    expect(result).toMatchObject({ stderr: expect.stringContaining(words) });
    expect(result.code).not.toBe(0);
  });
});
