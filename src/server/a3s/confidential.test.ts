import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { measureRecord, parseLaunchRecord, signIdBlock } from '@a3s-box/attestation/measure';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ovmfImage } from '../../cli/testing/ovmf-image.ts';
import { testAuthority } from '../../registry/testing/test-authority.ts';
import { type JsonAnswer, TestHome } from '../testing/home.ts';
import { type Challenge, type RatlsServer, ratlsServer } from '../testing/ratls.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const home = new TestHome();
const files = mkdtempSync(join(tmpdir(), 'a3s-conf-'));
const certificate = (() => {
  const { cert, key } = testAuthority(files).server('guest');
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
})();

beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  bootFrom(ovmfImage());
  await home.start();
});
beforeEach(() => {
  home.guestOptions = {};
  bootFrom(ovmfImage());
});
afterAll(async () => {
  await home.remove();
  rmSync(files, { recursive: true });
});

/** A boot set of small files. */
function bootFrom(firmware: Buffer, kernel = 'kernel', initrd = 'initrd'): void {
  const directory = join(files, 'boot');
  mkdirSync(directory, { recursive: true });
  const paths = { firmwarePath: 'OVMF.fd', kernelPath: 'bzImage', initrdPath: 'initrd' };
  const [firmwarePath = '', kernelPath = '', initrdPath = ''] = Object.values(paths).map((name) =>
    join(directory, name),
  );
  writeFileSync(firmwarePath, firmware);
  writeFileSync(kernelPath, kernel);
  writeFileSync(initrdPath, initrd);
  const { confidential } = home.boot;
  if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
  home.boot = {
    ...home.boot,
    confidential: { ...confidential, firmwarePath, kernelPath, initrdPath },
  };
}

const CREATE = { Image: 'busybox', Cmd: ['sleep', 'infinity'] };
const SIMULATE = { ...CREATE, Confidential: { Tee: 'simulate' } };

async function started(): Promise<string> {
  const id = await home.create(CREATE.Cmd, { Confidential: { Tee: 'simulate' } });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

async function measured(body: unknown = SIMULATE): Promise<Record<string, unknown>> {
  const answer = await home.call('POST', '/a3s/v1/measure', body);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body as Record<string, unknown>;
}

describe('POST /a3s/v1/measure', () => {
  it('measures what a box of the same request is launched with, without creating it', async () => {
    const before = home.runtime.store.list().length;
    const found = await measured({
      ...SIMULATE,
      Labels: { a: 'b' },
      HostConfig: { AutoRemove: true },
    });
    expect(home.runtime.store.list()).toHaveLength(before);
    const id = await started();
    const { definition, state } = home.runtime.store.expect(id);
    expect(found['spec']).toBe(definition.confidential?.launchSpec);
    expect(found['hostData']).toBe(state.launch?.hostData);
    expect(found['hostData']).toBe(
      createHash('sha256').update(String(found['spec'])).digest('hex'),
    );
    expect(found['guestPolicy']).toBe(state.launch?.policy);
    const record = parseLaunchRecord(found['launch']);
    expect(measureRecord(record).digest).toBe(found['measurement']);
    expect(record).toMatchObject({
      append: 'a3s.tee=simulated',
      vcpus: 1,
      vcpuType: 'EPYC-Milan-v2',
    });
  });

  it('writes a policy for this box alone', async () => {
    const found = await measured();
    const policy = parseAttestationPolicy(found['policy']);
    expect(policy).toMatchObject({
      tee: 'simulated',
      measurements: [found['measurement']],
      hostData: found['hostData'],
      vmpl: 0,
      crl: { required: false },
    });
    const hardware = await measured({ ...CREATE, Confidential: { Tee: 'snp' } });
    expect(parseAttestationPolicy(hardware['policy'])).toMatchObject({
      tee: 'sev-snp',
      crl: { required: true },
    });
    expect(hardware['measurement']).not.toBe(found['measurement']);
    expect(hardware['hostData']).toBe(found['hostData']);
  });

  it('changes the measurement with the firmware, the kernel, the initrd and the number of CPUs', async () => {
    const first = (await measured())['measurement'];
    const others = [await measured({ ...SIMULATE, HostConfig: { NanoCpus: 2_000_000_000 } })];
    const sets: (() => void)[] = [
      () => bootFrom(ovmfImage(0x91)),
      () => bootFrom(ovmfImage(), 'kernel.'),
      () => bootFrom(ovmfImage(), 'kernel', 'initrd.'),
    ];
    for (const change of sets) {
      change();
      others.push(await measured());
    }
    const digests = others.map(({ measurement }) => measurement);
    expect(new Set([first, ...digests]).size).toBe(5);
  });

  it('measures a privileged box as another launch, and allows it in the policy alone', async () => {
    const privileged = { ...SIMULATE, HostConfig: { Privileged: true } };
    const found = await measured(privileged);
    const digest = createHash('sha256').update(String(found['spec'])).digest('hex');
    expect(found['hostData']).toBe(hostDataOf(digest, true));
    expect(parseLaunchRecord(found['launch'])).toMatchObject({
      append: 'a3s.tee=simulated a3s.privileged',
    });
    const plain = await measured();
    expect(found['measurement']).not.toBe(plain['measurement']);
    expect(parseAttestationPolicy(found['policy'])).toMatchObject({
      allowPrivileged: true,
      measurements: [found['measurement']],
      hostData: found['hostData'],
    });
    expect(parseAttestationPolicy(plain['policy']).allowPrivileged).toBe(false);
  });

  it.each<[string, unknown, number, string]>([
    ['a plain box', CREATE, 400, 'invalid-argument'],
    ['a bind mount', { ...SIMULATE, HostConfig: { Binds: ['/a:/a'] } }, 400, 'unsupported-option'],
    ['an image that is not there', { ...SIMULATE, Image: 'gone' }, 404, 'no-such-image'],
  ])('refuses to measure %s', async (_, body, status, code) => {
    expect(await home.call('POST', '/a3s/v1/measure', body)).toMatchObject({
      status,
      body: { code },
    });
  });

  it('refuses to measure with firmware that would not check the kernel', async () => {
    bootFrom(Buffer.alloc(4096));
    expect(await home.call('POST', '/a3s/v1/measure', SIMULATE)).toMatchObject({
      status: 500,
      body: { code: 'boot-set-missing' },
    });
  });
});

describe('an ID block', () => {
  const idKey = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;

  async function creating(launchDigest: string, policy: bigint): Promise<JsonAnswer> {
    const { idBlock, idAuth } = signIdBlock({
      idBlock: {
        launchDigest: Buffer.from(launchDigest, 'hex'),
        familyId: new Uint8Array(16),
        imageId: new Uint8Array(16),
        guestSvn: 1,
        policy,
      },
      idKey,
    });
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    const Confidential = { Tee: 'simulate', IdBlock: text(idBlock), IdAuth: text(idAuth) };
    return await home.call('POST', '/containers/create', { ...CREATE, Confidential });
  }

  it('accepts an ID block for this launch, and passes it on unchanged', async () => {
    const { measurement } = await measured();
    const { status, body } = await creating(String(measurement), 0x30000n);
    expect(status).toBe(201);
    const { Id: id } = body as { Id: string };
    await home.call('POST', `/containers/${id}/start`);
    const identity = home.host.vm(id)?.spec.confidential?.identity;
    expect(identity?.block).toHaveLength(96);
    expect(identity?.auth).toHaveLength(4096);
  });

  it('refuses an ID block for another launch or another policy', async () => {
    const { measurement } = await measured();
    const answers = [
      await creating('0'.repeat(96), 0x30000n),
      await creating(String(measurement), 0xb0000n),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
    }
  });
});

describe('GET /a3s/v1/boxes/{id}/launch', () => {
  it('shows what was launched, and that it is simulated', async () => {
    const id = await started();
    const { state, definition } = home.runtime.store.expect(id);
    expect((await home.call('GET', `/a3s/v1/boxes/${id}/launch`)).body).toMatchObject({
      tee: 'simulate',
      simulated: true,
      note: expect.stringContaining('SIMULATED'),
      launch: { digest: state.launch?.measurement },
      measurement: state.launch?.measurement,
      hostData: definition.confidential?.specDigest,
      guestPolicy: '0x30000',
      bootSet: 'set',
      instance: state.launch?.instance,
      spec: definition.confidential?.launchSpec,
    });
  });

  it('refuses the launch record of a plain box and of one that never started', async () => {
    const plain = await home.create(CREATE.Cmd);
    const idle = await home.create(CREATE.Cmd, { Confidential: { Tee: 'simulate' } });
    expect(await home.call('GET', `/a3s/v1/boxes/${plain}/launch`)).toMatchObject({
      body: { code: 'unsupported-option' },
    });
    expect(await home.call('GET', `/a3s/v1/boxes/${idle}/launch`)).toMatchObject({
      body: { code: 'box-not-running' },
    });
  });
});

describe('GET /a3s/v1/boxes/{id}/evidence', () => {
  const SPEC = Buffer.from('{}');
  const ANSWER = {
    evidence: { schema: 'a3s-box/evidence/v1', tee: 'simulated', report: 'AAAA' },
    instance: '0'.repeat(32),
    specDigest: createHash('sha256').update(SPEC).digest('hex'),
    spec: SPEC.toString('base64'),
  };

  let server: RatlsServer | undefined;
  afterEach(() => server?.close());

  async function answering(answer: (challenge: Challenge) => string | number): Promise<void> {
    server = await ratlsServer(certificate, answer);
    home.guestOptions = { ratls: server.serve };
  }

  it('fetches evidence over a session of its own, with everything that the report is bound to', async () => {
    const challenges: Challenge[] = [];
    await answering((challenge) => {
      challenges.push(challenge);
      return JSON.stringify(ANSWER);
    });
    const id = await started();
    const nonce = randomBytes(48);
    const query = `nonce=${encodeURIComponent(nonce.toString('base64'))}`;
    const { status, body } = await home.call('GET', `/a3s/v1/boxes/${id}/evidence?${query}`);
    const key = new X509Certificate(certificate.cert).publicKey;
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        ...{ hint: true, simulated: true, note: expect.stringContaining('SIMULATED') },
        ...ANSWER,
        session: {
          nonce: nonce.toString('base64'),
          publicKey: key.export({ type: 'spki', format: 'der' }).toString('base64'),
          exporter: challenges[0]?.exporter.toString('base64'),
        },
      },
    });
    expect(challenges[0]?.nonce).toEqual(nonce);
    await home.call('GET', `/a3s/v1/boxes/${id}/evidence`);
    expect(challenges[1]?.nonce).toHaveLength(32);
  });

  it.each<[string, string | number]>([
    ['refuses', 429],
    ['answers no JSON', 'evidence'],
    ['answers keys that nobody knows', JSON.stringify({ ...ANSWER, trust: true })],
    ['claims another kind of evidence', JSON.stringify({ ...ANSWER, evidence: { tee: 'tdx' } })],
    ['sends a spec that is not of its digest', JSON.stringify({ ...ANSWER, spec: 'e30K' })],
    ['never ends', JSON.stringify({ ...ANSWER, spec: 'A'.repeat(8 * 1024 * 1024) })],
  ])('refuses evidence from a guest that %s', async (_, answer) => {
    await answering(() => answer);
    const id = await started();
    expect(await home.call('GET', `/a3s/v1/boxes/${id}/evidence`)).toMatchObject({
      status: 500,
      body: { code: 'agent-failed' },
    });
  });

  it.each<[string, NonNullable<TestHome['guestOptions']['ratls']>]>([
    ['hangs up', (stream) => stream.close()],
    ['speaks no TLS', (stream) => stream.end('HTTP/1.1 200 OK\r\n\r\n')],
  ])('refuses evidence over a connection on which the guest %s', async (_, ratls) => {
    home.guestOptions = { ratls };
    const id = await started();
    expect(await home.call('GET', `/a3s/v1/boxes/${id}/evidence`)).toMatchObject({
      status: 500,
      body: { code: 'agent-failed' },
    });
  });

  it('refuses an invalid nonce, a plain box and a box that does not run', async () => {
    const id = await started();
    expect(await home.call('GET', `/a3s/v1/boxes/${id}/evidence?nonce=AAAA`)).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument' },
    });
    const plain = await home.create(CREATE.Cmd);
    expect(await home.call('GET', `/a3s/v1/boxes/${plain}/evidence`)).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option' },
    });
    await home.call('POST', `/containers/${id}/stop`);
    expect(await home.call('GET', `/a3s/v1/boxes/${id}/evidence`)).toMatchObject({
      status: 409,
      body: { code: 'box-not-running' },
    });
  });
});

describe('POST /a3s/v1/boxes/{id}/ratls', () => {
  it('carries bytes both ways, and ends with either side', async () => {
    const id = await started();
    const socket = createConnection(home.config.socket);
    socket.write(
      `POST /a3s/v1/boxes/${id}/ratls HTTP/1.1\r\nHost: a3s-box\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    // The guest sends back what it gets.
    const sent = randomBytes(300_000).toString('hex');
    const received = text(socket);
    socket.end(sent);
    const answer = await received;
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(sent);
  });

  it('refuses a RA-TLS connection to a plain box in HTTP', async () => {
    const plain = await home.create(CREATE.Cmd);
    expect(await home.call('POST', `/a3s/v1/boxes/${plain}/ratls`)).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option' },
    });
  });
});

describe('GET /a3s/v1/openapi.json', () => {
  it('describes the routes of confidential boxes by the schemas that parse them', async () => {
    const { body } = await home.call('GET', '/a3s/v1/openapi.json');
    const document = body as {
      readonly openapi: string;
      readonly paths: Record<string, Record<string, Record<string, unknown>>>;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(document.paths['/a3s/v1/boxes/{id}/evidence']?.['get']).toMatchObject({
      parameters: [
        { name: 'id', in: 'path', required: true },
        { name: 'nonce', in: 'query', required: false, schema: { type: 'string' } },
      ],
      responses: {
        200: { content: { 'application/json': { schema: { type: 'object' } } } },
        default: { content: { 'application/json': { schema: { $ref: expect.any(String) } } } },
      },
    });
    expect(document.paths['/a3s/v1/boxes/{id}/ratls']?.['post']?.['responses']).toHaveProperty(
      '101',
    );
    expect(document.paths['/a3s/v1/measure']?.['post']?.['requestBody']).toMatchObject({
      content: {
        'application/json': {
          schema: {
            required: ['Image', 'Confidential'],
            properties: { Confidential: { required: ['Tee'], additionalProperties: false } },
          },
        },
      },
    });
  });
});
