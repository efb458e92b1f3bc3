import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { PROTOCOL } from '../../guest/protocol.ts';
import { TestHome } from '../testing/home.ts';

const ENABLED = { enabled: true, max: 8, maxAgeMs: 86_400_000 };

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.startOn({ ...home.config, templates: ENABLED });
});
afterEach(() => home.remove());

interface Listed {
  readonly id: string;
  readonly cpus: number;
  readonly state: string;
  readonly uses: number;
}

async function listed(query = ''): Promise<readonly Listed[]> {
  const { body } = await home.call('GET', `/a3s/v1/templates${query}`);
  return (body as { templates: readonly Listed[] }).templates;
}

async function warm(body?: unknown): Promise<readonly unknown[]> {
  const answer = await home.call('POST', '/a3s/v1/templates/warm', body);
  // A stream of several lines is not one JSON document.
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  return text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function eventsOf(id: string): Promise<readonly string[]> {
  const now = Math.ceil(Date.now() / 1000) + 1;
  const filters = encodeURIComponent(JSON.stringify({ type: ['template'] }));
  const answer = await home.call('GET', `/events?since=1&until=${now}&filters=${filters}`);
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  const events = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return events.filter(({ Actor }) => Actor.ID === id).map(({ Action }) => Action);
}

describe('templates', () => {
  it('makes templates on request, reports progress, and records events', async () => {
    const lines = await warm({ cpus: [1] });
    const [{ id, cpus, state, uses } = { id: '', cpus: 0, state: '', uses: 1 }] = await listed();
    expect({ cpus, state, uses }).toEqual({ cpus: 1, state: 'on disk', uses: 0 });
    expect(lines).toEqual(
      ['waiting', 'making', 'ready'].map((status) => ({ cpus: 1, id, status })),
    );
    expect(await warm()).toEqual([{ cpus: 1, id, status: 'ready' }]);
    expect(await eventsOf(id)).toEqual(['create']);
    const { body } = await home.call('GET', `/a3s/v1/templates/${id.slice(0, 12)}`);
    expect(body).toMatchObject({
      id,
      protocol: PROTOCOL.maximum,
      inputs: { cpus: '1' },
      files: [{}, {}, {}],
    });
    expect((await home.call('GET', '/a3s/v1/host')).body).toMatchObject({
      templates: { enabled: true, count: 1, inUse: 0 },
    });
  });

  it('filters templates by id, state and CPUs', async () => {
    await home.call('POST', '/a3s/v1/templates/warm', { cpus: [1] });
    const filtered = (filters: unknown): Promise<readonly Listed[]> =>
      listed(`?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    const [{ id } = { id: '' }] = await listed();
    expect(await filtered({ id: [id.slice(0, 6)] })).toHaveLength(1);
    expect(await filtered({ state: ['on-disk'] })).toHaveLength(1);
    expect(await filtered({ state: ['in use'] })).toHaveLength(0);
    expect(await filtered({ cpus: ['1', '2'] })).toHaveLength(1);
    const bad = encodeURIComponent('{"name":["x"]}');
    expect(await home.call('GET', `/a3s/v1/templates?filters=${bad}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument' },
    });
  });

  it('ends a progress stream with the error', async () => {
    home.host.failNextTemplate(new A3sError('vmm-failed', 'no', { remedy: 'Try.' }));
    expect((await warm()).at(-1)).toMatchObject({
      ...{ code: 'vmm-failed', error: 'no', remedy: 'Try.' },
      errorDetail: { message: 'no' },
    });
    expect(await listed()).toEqual([]);
  });

  it('refuses templates of impossible shapes', async () => {
    const { cpus } = home.runtime.host;
    for (const body of [{ cpus: [0] }, { cpus: [] }, { cpus: [cpus + 1] }, { cpus: 1 }, { x: 1 }]) {
      expect(await home.call('POST', '/a3s/v1/templates/warm', body)).toMatchObject({
        status: 400,
        body: { code: 'invalid-argument' },
      });
    }
  });

  it('starts boxes from a template made after the first boot, and keeps it while one runs', async () => {
    const first = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${first}/start`);
    expect(home.host.launches[0]?.template).toBeUndefined();
    await expect.poll(listed, { timeout: 10_000 }).toMatchObject([{ state: 'on disk' }]);
    const second = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${second}/start`);
    const [{ id } = { id: '' }] = await listed();
    expect(home.host.launches[1]?.template?.key).toBe(id);
    expect(await listed()).toMatchObject([{ state: 'in use', uses: 1 }]);
    const refused = await home.call('DELETE', `/a3s/v1/templates/${id}`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
    await home.stop();
    await home.startOn({ ...home.config, templates: ENABLED });
    expect(await listed()).toMatchObject([{ state: 'in use', uses: 0 }]);
    expect((await home.call('POST', '/a3s/v1/templates/prune')).body).toEqual({
      removed: [],
      freedBytes: 0,
    });
    await home.call('DELETE', `/containers/${second}?force=1`);
    expect((await home.call('DELETE', `/a3s/v1/templates/${id}`)).body).toEqual({ removed: id });
    expect(readdirSync(join(home.config.home, 'templates'))).toEqual([]);
  });

  it('makes a template of each number of CPUs, and rounds a fraction of a CPU up', async () => {
    const startWith = async (cpus: number) => {
      const box = await home.create(['sleep', 'infinity'], {
        HostConfig: { NanoCpus: cpus * 1e9, NetworkMode: 'none' },
      });
      await home.call('POST', `/containers/${box}/start`);
      return home.host.launches.at(-1)?.template?.key;
    };
    expect(await startWith(2)).toBeUndefined();
    await expect.poll(listed, { timeout: 10_000 }).toMatchObject([{ cpus: 2, state: 'on disk' }]);
    const [{ id } = { id: '' }] = await listed();
    expect(await startWith(1.5)).toBe(id);
    expect(await startWith(1)).toBeUndefined();
  });

  it('refuses unknown template ids', async () => {
    for (const method of ['GET', 'DELETE']) {
      for (const id of ['0'.repeat(64), 'x', '..%2f..']) {
        expect(await home.call(method, `/a3s/v1/templates/${id}`)).toMatchObject({
          status: 404,
          body: { code: 'no-such-template' },
        });
      }
    }
  });

  it('neither makes nor uses templates when they are switched off', async () => {
    await home.call('POST', '/a3s/v1/templates/warm', { cpus: [1] });
    await home.stop();
    await home.startOn({ ...home.config, templates: { ...ENABLED, enabled: false } });
    expect(await listed()).toEqual([]);
    expect(await warm()).toMatchObject([{ code: 'unsupported-option' }]);
    const box = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${box}/start`);
    expect(home.host.launches.at(-1)?.template).toBeUndefined();
    expect((await home.call('GET', '/a3s/v1/host')).body).toMatchObject({
      templates: { enabled: false, count: 0 },
    });
  });
});
