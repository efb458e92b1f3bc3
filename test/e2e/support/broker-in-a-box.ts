/**
 * A secret broker as the workload of a confidential box: from its start to the next one.
 *
 * @module
 */
import { join } from 'node:path';
import { expect } from 'vitest';
import { type BoxHost, TIMEOUT_MS } from '../hostile-host/boxes.ts';
import { until } from '../processes.ts';
import { BROKER_COMMAND, BROKER_PORTS, brokerImage } from './broker-image.ts';
import { freePort } from './broker-program.ts';

const ROOT = join(import.meta.dirname, '../../..');
const IMAGE = 'test/broker:1';
/** For Node.js to start under emulation. */
const SERVING_MS = 3 * TIMEOUT_MS;
export const BROKER_MS = 4 * SERVING_MS;

type Ports = Record<keyof typeof BROKER_PORTS, number>;

/** @param requireHidden fails where this host has the value of the secret */
export async function keepSecretsInABox(
  host: BoxHost,
  value: string,
  requireHidden: () => void,
): Promise<void> {
  const { actor } = host;
  const { archive, pin, alice } = brokerImage(IMAGE, ROOT);
  await actor.ok(['load', '--quiet', '--input', host.write('broker.tar', archive)]);
  host.write('alice.crt', alice.cert);
  host.write('alice.key', alice.key);
  await actor.ok(['volume', 'create', '--opt', 'type=sealed', '--opt', 'size=64m', 'kept']);
  const ports = await freePorts();
  const box = [
    ...['--tee', 'simulate', '--image-policy', host.at('images.yaml'), '--memory', '768m'],
    ...['--sealing', 'exact', '-v', 'kept:/data:sealed,init', '--host-may', 'logs'],
    ...published(ports),
  ];
  const command = [IMAGE, ...BROKER_COMMAND];
  const policy = host.at('broker-policy.yaml');
  await actor.ok(['measure', '--policy-out', policy, ...box, ...command]);
  await actor.ok(['run', '-d', '--name', 'confidant', ...box, ...command], {
    deadlineMs: SERVING_MS,
  });

  const ask = (...flags: readonly string[]) =>
    actor.run(['broker', 'pin', ...flags, `127.0.0.1:${ports.ratls}`]);
  const accepted = ['--policy', policy, '--allow-simulated'];
  const isServing = () =>
    until('the broker serves', async () => (await ask(...accepted)).code === 0, SERVING_MS);
  const administer = (args: readonly string[], stdin = '') => {
    const access = [
      ...['--broker', `127.0.0.1:${ports.admin}`, '--server-pin', pin],
      ...['--cert', host.at('alice.crt'), '--key', host.at('alice.key')],
    ];
    return actor.ok(['broker', ...args, ...access], { stdin });
  };
  await isServing();
  expect((await ask(...accepted)).stdout).toBe(`${pin}\n`);
  expect(await ask('--policy', policy)).toMatchObject({ code: 1, stdout: '' });
  const other = await host.measure('other', ['--memory', '192m'], ['sleep', '1']);
  expect(await ask('--policy', other, '--allow-simulated')).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringContaining('(appraisal)'),
  });

  await administer(['secret', 'put', 'default/db/one'], value);
  await administer(['root-key', 'rotate']);
  await actor.ok(['stop', 'confidant'], { deadlineMs: TIMEOUT_MS });
  await actor.ok(['start', 'confidant'], { deadlineMs: SERVING_MS });
  await isServing();
  expect(await administer(['secret', 'put', 'default/db/one'], value)).toBe('version 2');
  expect(await administer(['audit', 'export'])).toContain('root-key-rewrapped');
  requireHidden();
  await actor.ok(['rm', '--force', 'confidant']);
}

async function freePorts(): Promise<Ports> {
  return { guests: await freePort(), ratls: await freePort(), admin: await freePort() };
}

function published(ports: Ports): readonly string[] {
  return Object.entries(BROKER_PORTS).flatMap(([name, inside]) => {
    return ['-p', `127.0.0.1:${ports[name as keyof Ports]}:${inside}`];
  });
}
