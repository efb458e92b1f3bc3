import { Agent, request } from 'node:http';
import { expect, it } from 'vitest';
import { startTestBroker, type TestBroker } from '../testing/test-broker.ts';

const REQUESTS = 10_000;
const BODY = JSON.stringify({ version: '0.4.0', tee: 'snp', 'extra-params': '' });

function post(broker: TestBroker, agent: Agent, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(broker.url(path), { method: 'POST', agent }, (incoming) => {
      incoming.resume();
      incoming.on('end', () => resolve(incoming.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end(BODY);
  });
}

it('answers ten thousand requests of one client with as many refusals as there must be', async () => {
  await using broker = await startTestBroker();
  const agent = new Agent({ keepAlive: true, maxSockets: 24 });
  const counts = new Map<number, number>();
  const started = performance.now();
  const path = (n: number) => (n % 2 === 0 ? '/kbs/v0/auth' : '/kbs/v0/attest');
  const all = Array.from({ length: REQUESTS }, (_, n) => post(broker, agent, path(n)));
  for (const status of await Promise.all(all)) counts.set(status, (counts.get(status) ?? 0) + 1);
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  const { burst, perSecond } = broker.config.rateLimits;
  const served = REQUESTS - (counts.get(429) ?? 0);
  // On a slow machine more are served, until there are as many sessions of a client as may be.
  const statuses = [...counts.keys()].toSorted();
  expect(statuses.filter((status) => status !== 503)).toEqual([200, 401, 429]);
  expect(served).toBeGreaterThanOrEqual(burst);
  expect(served).toBeLessThanOrEqual(burst + perSecond * seconds + 1);
  // The audit log records those that were served and refused, and no more.
  const { body } = await broker.admin('GET', '/v1/tenants/default/audit');
  const refused = (body['entries'] as { action: string }[]).filter(
    ({ action }) => action === 'attestation-refused',
  );
  expect(refused.length).toBeLessThanOrEqual(served);
  expect(broker.errors).toEqual([]);
});
