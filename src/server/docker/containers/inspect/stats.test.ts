import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
beforeEach(() => {
  home.agentOptions = {};
});
afterAll(() => home.remove());

async function running(more: Record<string, unknown> = {}): Promise<string> {
  const id = await home.create(['sleep', 'infinity'], more);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const stats = async (id: string, query: string) =>
  (await home.call('GET', `/containers/${id}/stats?${query}`)).body;

const ZERO = { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 };

/** Yields documents as they arrive; the end of the iteration closes the connection. */
async function* follow(id: string): AsyncGenerator<Record<string, unknown>> {
  const { socket: socketPath } = home.config;
  const sent = request({ socketPath, path: `/containers/${id}/stats`, agent: false });
  const lines = await new Promise<AsyncIterable<string>>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      const lines = createInterface({ input: response });
      // This side closes the connection.
      for (const each of [response, lines]) each.on('error', () => undefined);
      resolve(lines);
    });
    sent.end();
  });
  try {
    for await (const line of lines) yield JSON.parse(line);
  } finally {
    sent.destroy();
  }
}

describe('stats', () => {
  it('returns one Docker stats document without a previous sample for one-shot', async () => {
    const id = await running({ HostConfig: { Memory: 64 * 2 ** 20, PidsLimit: 9 } });
    const name = `/${home.runtime.store.expect(id).name}`;
    expect(await stats(id, 'stream=0&one-shot=1')).toMatchObject({
      ...{ id, name, preread: '0001-01-01T00:00:00Z', read: expect.stringMatching(/^20/) },
      pids_stats: { current: 1, limit: 9 },
      cpu_stats: {
        cpu_usage: {
          ...{ total_usage: 1e6, usage_in_kernelmode: 400_000, usage_in_usermode: 600_000 },
        },
        system_cpu_usage: expect.any(Number),
        online_cpus: 1,
        throttling_data: { periods: 10, throttled_periods: 1, throttled_time: 50_000 },
      },
      precpu_stats: { cpu_usage: ZERO },
      memory_stats: { usage: 2 ** 20, limit: 64 * 2 ** 20, stats: { anon: 524_288 } },
      blkio_stats: {
        io_service_bytes_recursive: [
          { major: 254, minor: 0, op: 'read', value: 4096 },
          { major: 254, minor: 0, op: 'write', value: 8192 },
        ],
        io_serviced_recursive: [
          { op: 'read', value: 1 },
          { op: 'write', value: 2 },
        ],
      },
      networks: { eth0: { rx_bytes: 100, tx_packets: 3 } },
    });
  });

  it('adds a previous sample to a single stats document', async () => {
    const id = await running();
    const document = (await stats(id, 'stream=0')) as Record<string, unknown>;
    expect(document['precpu_stats']).toMatchObject({ cpu_usage: { total_usage: 1e6 } });
    expect(document['preread']).toMatch(/^20/);
    expect(document['pids_stats']).toEqual({ current: 1 });
  });

  it('returns the counters of an older agent', async () => {
    home.agentOptions = { protocol: { minimum: 1, maximum: 3 } };
    const id = await running();
    expect(await stats(id, 'stream=0&one-shot=1')).toMatchObject({
      ...{ memory_stats: { usage: 2 ** 20 }, pids_stats: { current: 1 } },
      cpu_stats: { cpu_usage: { total_usage: 1e6 } },
    });
  });

  it('returns zeros as stats of a box that does not run', async () => {
    const id = await home.create(['true']);
    const document = await stats(id, 'stream=0');
    expect(document).toMatchObject({
      ...{ id, read: '0001-01-01T00:00:00Z', memory_stats: {}, pids_stats: {} },
      cpu_stats: { cpu_usage: ZERO },
    });
    expect(document).not.toHaveProperty('networks');
  });

  it('streams stats across stop and start until the box is removed', async () => {
    const id = await running();
    const seen: string[] = [];
    for await (const { pids_stats } of follow(id)) {
      seen.push(JSON.stringify(pids_stats));
      if (seen.length === 2) await home.call('POST', `/containers/${id}/kill`);
      if (seen.length === 4) await home.call('POST', `/containers/${id}/start`);
      if (seen.length === 6) await home.call('DELETE', `/containers/${id}?force=1`);
    }
    expect(seen.slice(0, 2)).toEqual(['{"current":1}', '{"current":1}']);
    expect(seen).toContain('{}');
    expect(seen.length).toBeGreaterThanOrEqual(6);
    expect(seen.slice(4)).toContain('{"current":1}');
  });

  it('ends a stats stream when its client goes away', async () => {
    const id = await running();
    for await (const { id: shown } of follow(id)) {
      expect(shown).toBe(id);
      break;
    }
    expect((await home.call('GET', '/_ping')).status).toBe(200);
  });
});
