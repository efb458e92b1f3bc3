import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  type AgentServer,
  agentServer,
  guestSource,
  policyFor,
  specText,
  type TestSealer,
} from '@a3s-box/ratls/testing';
import { parseEnvelope, type SealedHeader, seal, unseal } from '@a3s-box/sealing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeEnds, transcript } from '../../testing/fake-context.ts';

const owner = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
const spki = owner.publicKey.export({ format: 'der', type: 'spki' });
const sealers = [createHash('sha256').update(spki).digest('hex')];
const SPEC = specText('shop', [], { sealing: 'upgradable', sealers });
const VALUE = 'correct horse battery staple';
const PROCESSOR_KEY = new Uint8Array(32).fill(7);

const [measurement = ''] = policyFor().measurements;
/** What the box puts into an envelope, where a test does not say otherwise. */
const HEADER: SealedHeader = {
  tee: 'simulated',
  policy: 'exact',
  purpose: 'db/key',
  guestSvn: 0,
  tcbVersion: 0n,
  measurement: Buffer.from(measurement, 'hex'),
  idKeyDigest: new Uint8Array(48),
  hostData: createHash('sha256').update(SPEC).digest(),
  salt: new Uint8Array(32).fill(9),
};
let lie: Partial<SealedHeader>;
const sealer: TestSealer = {
  seal: (value, purpose) => seal(value, { ...HEADER, purpose, ...lie }, PROCESSOR_KEY),
  unseal: (envelope) => unseal(envelope, PROCESSOR_KEY).catch(() => undefined),
};

let box: AgentServer;
let cwd: string;
beforeAll(async () => {
  box = await agentServer({ source: guestSource({ spec: SPEC, now: new Date() }), sealer });
});
afterAll(() => box[Symbol.asyncDispose]());
beforeEach(() => {
  lie = {};
  cwd = mkdtempSync(join(tmpdir(), 'a3s-seal-'));
  const { measurements } = policyFor();
  const policy = { tee: 'simulated', measurements, hostData: 'any-explicit' };
  const document = JSON.stringify({ ...policy, crl: { required: false } });
  writeFileSync(join(cwd, 'policy.json'), document);
  const stranger = generateKeyPairSync('ed25519');
  const pem = (key: typeof owner.privateKey) => key.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(join(cwd, 'owner.key'), pem(owner.privateKey), { mode: 0o600 });
  writeFileSync(join(cwd, 'stranger.key'), pem(stranger.privateKey), { mode: 0o600 });
});
afterEach(() => rmSync(cwd, { recursive: true }));

const FLAGS = ['--policy=policy.json', '--allow-simulated', '--key=owner.key', '--purpose=db/key'];

function call(
  command: 'seal' | 'unseal',
  input: string | Uint8Array,
  more: readonly string[] = [],
  ends: FakeEnds = {},
) {
  const stdin = new PassThrough();
  stdin.end(input);
  const args = [command, ...FLAGS, ...more, `127.0.0.1:${box.port}`];
  return transcript('/nonexistent', args, { cwd, home: cwd, stdin, ...ends });
}

describe('seal', () => {
  it('seals standard input, and prints that the box is simulated', async () => {
    const { status, bytes, stderr } = await call('seal', VALUE);
    expect(status).toBe(0);
    expect(stderr).toContain('SIMULATED');
    expect(parseEnvelope(bytes).header).toMatchObject({ tee: 'simulated', purpose: 'db/key' });
    expect(Buffer.from(await unseal(bytes, PROCESSOR_KEY)).toString()).toBe(VALUE);
  });

  it.each<[string, Partial<SealedHeader>, string]>([
    ['under another launch spec', { hostData: new Uint8Array(32).fill(1) }, 'sealed-spec'],
    [
      'under another launch digest',
      { measurement: new Uint8Array(48).fill(1) },
      'sealed-measurement',
    ],
    ['for another purpose', { purpose: 'other' }, 'sealed-purpose'],
    ['as hardware', { tee: 'sev-snp' }, 'sealed-tee'],
    ['for a higher SVN', { guestSvn: 1 }, 'sealed-svn'],
    [
      'under another policy',
      {
        policy: 'upgradable',
        measurement: new Uint8Array(48),
        idKeyDigest: new Uint8Array(48).fill(1),
      },
      'sealed-id-key',
    ],
  ])('refuses an envelope that the box made %s', async (_, change, code) => {
    lie = change;
    const { status, stdout, stderr } = await call('seal', VALUE);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(`(${code})`);
  });

  it('says what an upgradable envelope does not protect from', async () => {
    const { stderr } = await call('seal', VALUE, ['--sealing=upgradable']);
    expect(stderr).toContain('WARNING: no processor mixes the ID key into its keys');
  });

  it.each([
    ['a value that is too long', 'x'.repeat(65_537), []],
    ['a purpose that is none', VALUE, ['--purpose=DB']],
    ['a policy that is none', VALUE, ['--sealing=none']],
    ['an SVN of an exact envelope', VALUE, ['--minimum-svn=1']],
    ['an SVN that is none', VALUE, ['--sealing=upgradable', '--minimum-svn=4294967296']],
  ])('refuses %s before the box is asked', async (_, value, flags) => {
    const before = box.connections();
    expect(await call('seal', value, flags)).toMatchObject({ status: 2, stdout: '' });
    expect(box.connections()).toBe(before);
  });

  it('does not write an envelope to a terminal', async () => {
    const done = await call('seal', VALUE, [], { terminal: true });
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('terminal');
  });
});

describe('unseal', () => {
  const envelopeOf = (change: Partial<SealedHeader> = {}) =>
    seal(Buffer.from(VALUE), { ...HEADER, ...change }, PROCESSOR_KEY);

  it('opens an envelope that the box may open', async () => {
    const { status, stdout } = await call('unseal', await envelopeOf());
    expect({ status, stdout }).toEqual({ status: 0, stdout: VALUE });
  });

  it.each<[string, Partial<SealedHeader>]>([
    ['sealed-spec', { hostData: new Uint8Array(32).fill(1) }],
    ['sealed-measurement', { measurement: new Uint8Array(48).fill(1) }],
    ['sealed-purpose', { purpose: 'tls/key' }],
    ['sealed-tee', { tee: 'sev-snp' }],
    ['sealed-svn', { guestSvn: 1 }],
  ])('sends no envelope that a rule refuses: %s', async (code, change) => {
    const before = box.asked.length;
    const done = await call('unseal', await envelopeOf(change));
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain(`(${code})`);
    expect(box.asked.slice(before)).toEqual(['POST /attest']);
  });

  it('reports the rule by which the guest refuses', async () => {
    const envelope = await envelopeOf();
    envelope[envelope.length - 1] = (envelope.at(-1) ?? 0) ^ 1;
    const done = await call('unseal', envelope);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(seal-broken)');
  });

  it('refuses what is not an envelope before the box is asked', async () => {
    const before = box.connections();
    const done = await call('unseal', VALUE);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('(envelope-malformed)');
    expect(box.connections()).toBe(before);
  });

  it('sends nothing for a key that the launch spec does not name', async () => {
    const done = await call('unseal', await envelopeOf(), ['--key=stranger.key']);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(sealer-not-permitted)');
  });

  it('sends nothing to a box that the policy rejects, or that is simulated unasked', async () => {
    const before = box.asked.length;
    const strict = await call('unseal', await envelopeOf(), [`--expect-spec=${'02'.repeat(32)}`]);
    expect(strict).toMatchObject({ status: 1, stdout: '' });
    const stdin = new PassThrough();
    stdin.end(await envelopeOf());
    const args = FLAGS.filter((flag) => flag !== '--allow-simulated');
    const unasked = await transcript('/nonexistent', ['unseal', ...args, `127.0.0.1:${box.port}`], {
      cwd,
      home: cwd,
      stdin,
    });
    expect(unasked.status).toBe(1);
    expect(unasked.stderr).toContain('(simulated-not-allowed)');
    expect(box.asked.slice(before).filter((path) => path.includes('seal'))).toEqual([]);
  });
});
