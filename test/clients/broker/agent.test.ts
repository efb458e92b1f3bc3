/** The agent's own client, compiled for this host, against a broker over TLS. */
import { spawn } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { verifyEarJwt } from '@a3s-box/attestation/ear';
import type { BrokerEndpoint } from '@a3s-box/policies';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildAgent } from '../../../src/boot/make/agent.ts';
import { keyPin } from '../../../src/broker/testing/certificate.ts';
import { NOW } from '../../../src/broker/testing/fixtures.ts';
import {
  launchGuest,
  policyDocument,
  SERVER,
  startTestBroker,
  type TestBroker,
} from '../../../src/broker/testing/test-broker.ts';

const ROOT = join(import.meta.dirname, '../../..');
const AGENT = join(ROOT, 'native/agent');
const PROGRAM = mkdtempSync(join(tmpdir(), 'a3s-kbs-guest-'));
const GUEST = join(PROGRAM, 'guest');
const BUILD_MS = 600_000;

// The cache of the boot set has most of it; where that is not made yet, Go compiles all.
beforeAll(async () => {
  const cache = join(ROOT, 'build/cache/go');
  await buildAgent(AGENT, GUEST, {
    package: './kbs/kbsguest',
    architecture: 'amd64',
    version: 'test',
    cache,
  });
}, BUILD_MS);
afterAll(() => rmSync(PROGRAM, { recursive: true }));

let broker: TestBroker;
beforeEach(async () => {
  broker = await startTestBroker({ guestTls: true });
  for (const [path, content] of Object.entries({
    'secrets/a/db/password': Buffer.from('hunter2'),
    'secrets/a/db/large': Buffer.alloc(65_536, 7),
    'policies/p': policyDocument(),
    'grants/g': { path: 'a/db/*', policy: 'p' },
    'grants/c': { path: 'a/volumes/*', policy: 'p', counter: true },
  })) {
    const { status } = await broker.admin('PUT', `/v1/tenants/default/${path}`, content);
    expect(status).toBe(200);
  }
});
afterEach(() => broker[Symbol.asyncDispose]());

interface Disk {
  readonly path: string;
  readonly volume: string;
  readonly generation: number;
}

interface Outcome {
  readonly token: string;
  readonly generation: number;
  readonly values: Readonly<Record<string, string>>;
  readonly code: string;
  readonly error: string;
}

interface Task {
  readonly endpoint?: Partial<BrokerEndpoint>;
  readonly resources?: readonly string[];
  readonly tee?: string;
  /** Of an attestation result that is asked for instead. */
  readonly nonce?: Buffer;
  /** A volume that is counted instead. */
  readonly counter?: Disk;
  /** Another one is another measurement. */
  readonly kernel?: string;
  /** What the guest's processor makes the report over. */
  readonly forge?: (reportData: Uint8Array) => Uint8Array;
}

/** Runs the client, whose processor is the simulated one of this process. */
async function fetched(task: Task = {}): Promise<Outcome> {
  const machine = launchGuest(task.kernel);
  const child = spawn(GUEST, { stdio: ['pipe', 'pipe', 'inherit'] });
  const send = (value: object) => child.stdin.write(`${JSON.stringify(value)}\n`);
  send({
    broker: {
      host: '127.0.0.1',
      port: 8443,
      tenant: 'default',
      key: keyPin(SERVER.cert),
      ...task.endpoint,
    },
    address: `127.0.0.1:${broker.running.ports.guests}`,
    resources: task.resources ?? ['a/db/password'],
    ...(task.counter === undefined ? {} : { counter: task.counter }),
    ...(task.nonce === undefined ? {} : { nonce: task.nonce.toString('base64') }),
    tee: task.tee ?? '',
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line);
    if (message.reportData === undefined) return message;
    const asked = Uint8Array.from(Buffer.from(message.reportData, 'hex'));
    const reportData = task.forge?.(asked) ?? asked;
    const { report, certificateTable } = machine.report({ reportData });
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    send({ Report: base64(report), Certificates: base64(certificateTable) });
  }
  throw new Error('the guest ended without an outcome');
}

async function entries(): Promise<readonly Record<string, unknown>[]> {
  const { body } = await broker.admin('GET', '/v1/tenants/default/audit');
  return body['entries'] as Record<string, unknown>[];
}

const text = (base64: string | undefined) => Buffer.from(base64 ?? '', 'base64').toString();

describe('the client of the agent', () => {
  it('fetches secrets that a policy grants its guest, up to the largest', async () => {
    const resources = ['a/db/password', 'a/db/large'];
    const { values, code, error } = await fetched({ resources });
    expect({ code, error }).toEqual({ code: '', error: '' });
    expect(text(values['a/db/password'])).toBe('hunter2');
    expect(text(values['a/db/large'])).toBe('\u0007'.repeat(65_536));
  });

  it.each<[string, Task, Partial<Outcome>]>([
    ['no grant covers the path', { resources: ['a/other/password'] }, { code: 'kbs-denied' }],
    ['the secret does not exist', { resources: ['a/db/none'] }, { code: 'kbs-no-resource' }],
    ['the guest has another measurement', { kernel: 'other' }, { code: 'kbs-evidence' }],
    [
      'the report is over other data',
      { forge: (data) => data.map((byte) => byte ^ 1) },
      { code: 'kbs-evidence' },
    ],
    ['simulated evidence is called that of hardware', { tee: 'snp' }, { code: 'kbs-evidence' }],
    ['the tenant is another one', { endpoint: { tenant: 'other' } }, { code: 'kbs-evidence' }],
    ['the tenant does not exist', { endpoint: { tenant: 'nobody' } }, { code: 'kbs-session' }],
    [
      'the broker has another key than the launch spec says',
      { endpoint: { key: '0'.repeat(64) } },
      { code: '', error: expect.stringContaining('does not have the key of the broker') },
    ],
  ])('gets nothing where %s', async (_, task, outcome) => {
    expect(await fetched(task)).toMatchObject({ values: {}, ...outcome });
  });

  it('gives the agent no secret after its grant is revoked', async () => {
    expect(text((await fetched()).values['a/db/password'])).toBe('hunter2');
    for (const grant of ['g', 'c']) {
      const path = `/v1/tenants/default/grants/${grant}/revoked`;
      expect((await broker.admin('PUT', path, {})).status).toBe(204);
    }
    expect(await fetched()).toMatchObject({ values: {}, code: 'kbs-evidence' });
  });

  it('advances the counter of a volume at each start, and refuses an older disk', async () => {
    const disk = { path: 'a/volumes/data', volume: '0'.repeat(31).concat('1'), generation: 2 };
    const start = (generation: number, volume = disk.volume) =>
      fetched({ counter: { ...disk, volume, generation } });
    expect(await start(2)).toMatchObject({ code: '', error: '', generation: 3 });
    expect(await start(3)).toMatchObject({ code: '', error: '', generation: 4 });
    // The start before was cut off after it had written the disk.
    expect(await start(5)).toMatchObject({ code: '', error: '', generation: 5 });
    for (const [generation, volume, reason] of [
      [4, disk.volume, 'is older than'],
      [2, disk.volume, 'is older than'],
      [2, 'f'.repeat(32), 'of another volume'],
      [8, disk.volume, 'is behind the volume'],
    ] as const) {
      const refused = await start(generation, volume);
      expect(refused).toMatchObject({ code: '', generation });
      expect(refused.error).toContain(reason);
    }
    const advanced = (await entries()).filter(({ action }) => action === 'counter-advanced');
    expect(advanced.map(({ details }) => details)).toMatchObject(
      [3, 4, 5].map((generation) => ({ volume: disk.volume, generation })),
    );
    const counter = { ...disk, path: 'a/db/data' };
    expect(await fetched({ counter })).toMatchObject({ code: 'kbs-denied', generation: 2 });
    const endpoint = { key: '0'.repeat(64) };
    expect((await fetched({ counter: disk, endpoint })).error).toContain('does not have the key');
  });

  it('gets an attestation result over its nonce, as long as its guest is accepted', async () => {
    const nonce = Buffer.alloc(64, 7);
    const { code, error, token } = await fetched({ nonce });
    expect({ code, error }).toEqual({ code: '', error: '' });
    const pem = readFileSync(join(broker.directory.path, 'results.key'), 'utf8');
    const publicKey = createPublicKey(pem).export({ type: 'spki', format: 'der' });
    const keys = [{ algorithm: 'EdDSA' as const, publicKey }];
    const ear = await verifyEarJwt(token, { keys, nonce, now: NOW, maxAgeSeconds: 300 });
    // Nothing of a simulation is affirmed.
    expect(ear.submods.get('simulated')).toMatchObject({
      status: 'contraindicated',
      policyIds: ['default/p'],
    });
    expect(await fetched({ nonce, kernel: 'other' })).toMatchObject({
      code: 'kbs-evidence',
      token: '',
    });
  });

  it('records the evidence of the agent, and each release once', async () => {
    await fetched({ resources: ['a/db/password', 'a/db/large'] });
    const released = (await entries()).filter(({ action }) => action === 'resource-released');
    expect(released).toHaveLength(2);
    expect(JSON.stringify(released)).toContain(launchGuest().measurement);
  });
});
