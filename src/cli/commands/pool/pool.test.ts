import { describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const a3s = (...args: string[]): Promise<Transcript> => transcript(socket, ['pool', ...args], {});

const POOL = {
  ...{ name: 'default', size: 4, ready: 3, cpus: 1, memoryBytes: 0, machineBytes: 512 * 2 ** 20 },
  ...{ network: 'none', state: 'filling', error: '', pids: [1, 2, 3] },
};

describe('pool set', () => {
  it('sends the settings of a pool, and waits with --wait', async () => {
    server.answers.set('PUT /a3s/v1/pools/fast', { json: POOL });
    server.answers.set('POST /a3s/v1/pools/fast/wait', { json: POOL });
    const shape = ['--cpus', '2', '-m', '1g', '--network', 'none', '--mounts=false'];
    const flags = ['--size', '4', ...shape, '--wait'];
    expect(await a3s('set', ...flags, 'fast')).toMatchObject({ status: 0, stdout: 'fast\n' });
    expect(JSON.parse(server.called('PUT /a3s/v1/pools/fast')?.body ?? '')).toEqual({
      ...{ size: 4, cpus: 2, memoryBytes: 2 ** 30, network: 'none', mounts: false },
    });
    expect(server.called('POST /a3s/v1/pools/fast/wait')).toBeDefined();
  });

  it('asks for a pool of pods with --pods', async () => {
    server.answers.set('PUT /a3s/v1/pools/default', { json: POOL });
    expect(await a3s('set', '--size', '1', '--pods')).toMatchObject({ status: 0 });
    expect(JSON.parse(server.called('PUT /a3s/v1/pools/default')?.body ?? '')).toEqual({
      ...{ size: 1, pods: true },
    });
  });

  it('names a pool default when no name is given', async () => {
    server.answers.set('PUT /a3s/v1/pools/default', { json: POOL });
    expect(await a3s('set', '--size', '0')).toMatchObject({ status: 0, stdout: 'default\n' });
    expect(JSON.parse(server.called('PUT /a3s/v1/pools/default')?.body ?? '')).toEqual({ size: 0 });
  });

  it.each([
    [['set'], '--size is missing'],
    [['set', '--size', '-1'], '--size must be at least 0'],
    [['set', '--size', '1', '--cpus', '0'], '--cpus must be at least 1'],
    [['set', '--size', '1', '--network', 'host'], 'must be default or none'],
    [['set', '--size', '1', 'a', 'b'], 'at most 1 argument'],
  ])('refuses the command pool %j', async (args, why) => {
    const result = await a3s(...args);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain(why);
  });
});

describe('pool ls', () => {
  it('lists pools as a table, by name only, and by a format', async () => {
    server.answers.set('GET /a3s/v1/pools', { json: { pools: [POOL] } });
    expect((await a3s('ls')).stdout).toBe(
      [
        'NAME      SIZE      READY     CPUS      MEMORY    FOR       NETWORK   STATE',
        'default   4         3         1         512MiB    boxes     none      filling',
        '',
      ].join('\n'),
    );
    expect((await a3s('ls', '-q')).stdout).toBe('default\n');
    expect((await a3s('ls', '--format', '{{.Name}} {{.Ready}}')).stdout).toBe('default 3\n');
  });
});

describe('pool inspect and rm', () => {
  it('inspects and removes pools, and reports missing ones', async () => {
    server.answers.set('GET /a3s/v1/pools/default', { json: POOL });
    server.answers.set('DELETE /a3s/v1/pools/default', { status: 204 });
    const missing = { status: 404, json: { code: 'no-such-pool', message: 'No such pool: x' } };
    server.answers.set('GET /a3s/v1/pools/x', missing);
    server.answers.set('DELETE /a3s/v1/pools/x', missing);
    const shown = await a3s('inspect', 'default', 'x');
    expect(JSON.parse(shown.stdout)).toEqual([POOL]);
    expect(shown).toMatchObject({ status: 1, stderr: expect.stringContaining('no-such-pool') });
    const removed = await a3s('rm', 'default', 'x');
    expect(removed).toMatchObject({ status: 1, stdout: 'default\n' });
    expect(removed.stderr).toContain('No such pool: x');
  });
});
