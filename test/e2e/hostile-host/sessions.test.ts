// A relying party speaks to the attested box or to nobody: a man in the middle, or another box in
// its place, is detected.

import type { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SimulatedSecureProcessor } from '@a3s-box/attestation/simulated';
import { type AgentServerOptions, agentServer, withoutKey } from '@a3s-box/ratls/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS } from '../actor.ts';
import { answering, askedOf, forged, type Said, Unverified } from './attacker.ts';
import { BoxHost } from './boxes.ts';

const FLAGS = ['--memory', '192m', '--deployment', 'blue'];
const COMMAND = ['sleep', '1000'];
const NONCE = new Uint8Array(32).fill(7);

let host: BoxHost;
let policy: string;
/** Chain of this installation, as its relying parties know it. */
let roots: string;

interface Seen {
  readonly id: string;
  readonly port: number;
  readonly instance: string;
  readonly certificate: X509Certificate;
  /** An answer to NONCE. */
  readonly answer: Said['document'];
}
const seen = new Map<string, Seen>();

async function look(name: string): Promise<Seen> {
  const { Id, Confidential } = await host.inspect(name);
  const port = await host.port(name);
  const session = await Unverified.open(port);
  const { document } = await session.attest(NONCE);
  session.close();
  const { certificate } = session;
  const found = {
    id: Id,
    port,
    instance: Confidential.Instance ?? '',
    certificate,
    answer: document,
  };
  seen.set(name, found);
  return found;
}

function box(name: string): Seen {
  const found = seen.get(name);
  if (found === undefined) throw new Error(`${name} was not looked at`);
  return found;
}

const trusting = (): readonly string[] => ['--allow-simulated', '--simulated-root', roots];

/** What a relying party says of an attacker who is where it looks for the box. */
async function verdictOn(options: AgentServerOptions, ...flags: readonly string[]) {
  await using attacker = await agentServer(options);
  const verdict = await host.attest(attacker.port, policy, ...trusting(), ...flags);
  expect(verdict).toMatchObject({ accepted: false, status: 1 });
  return { verdict, asked: [...attacker.asked] };
}

/** A server that passes for the box until it is challenged: its host has forged the certificate. */
function impostor(answer: (nonce: Uint8Array) => object | Promise<object>): AgentServerOptions {
  const one = box('one');
  return { source: forged(host.stolen(one.id), one.answer), override: answering(answer) };
}

beforeAll(async () => {
  host = await BoxHost.open(ACTORS[0] ?? 'ordinary user');
  policy = await host.measure('policy', FLAGS, COMMAND);
  await Promise.all([host.run('one', FLAGS, COMMAND), host.run('twin', FLAGS, COMMAND)]);
  await host.run('green', [...FLAGS, '--deployment', 'green'], COMMAND);
  for (const name of ['one', 'twin', 'green']) await look(name);
  roots = host.write('roots.pem', host.processor().roots().pem);
});
afterAll(() => host?.leave());

describe('a box', () => {
  it('a box is accepted at its port, and by name through the server', async () => {
    const { instance, port } = box('one');
    const accepted = { accepted: true, code: 'accepted', box: { instance }, status: 0 };
    const expected = ['--expect-instance', instance, '--expect-deployment', 'blue'];
    expect(await host.attest(port, policy, ...trusting(), ...expected)).toMatchObject(accepted);
    expect(await host.attest('one', policy, ...trusting(), ...expected)).toMatchObject(accepted);
  });

  it('a simulated box is refused without permission for simulation, and by a policy for hardware', async () => {
    const { port } = box('one');
    expect(await host.attest(port, policy)).toMatchObject({
      accepted: false,
      code: 'simulated-not-allowed',
    });
    const simulated = readFileSync(policy, 'utf8');
    const genuine = simulated.replace('tee: simulated', 'tee: sev-snp');
    expect(genuine).not.toBe(simulated);
    const hardware = host.write('hardware.yaml', genuine);
    for (const flags of [[], ['--allow-simulated']]) {
      expect(await host.attest(port, hardware, ...flags)).toMatchObject({
        accepted: false,
        code: 'certificate-tee',
        status: 1,
      });
    }
  });
});

describe('diverted sessions', () => {
  it('a session diverted to another box of the same launch spec is refused by its instance', async () => {
    const twin = box('twin');
    expect(twin.instance).not.toBe(box('one').instance);
    const { port, instance } = twin;
    const one = ['--expect-instance', box('one').instance];
    expect(await host.attest(port, policy, ...trusting())).toMatchObject({ accepted: true });
    expect(await host.attest(port, policy, ...trusting(), ...one)).toMatchObject({
      accepted: false,
      code: 'expected-instance',
      error: { found: instance },
    });
  });

  it('a session diverted to another deployment is refused by policy and expected deployment', async () => {
    const { port, answer } = box('green');
    const refused = await host.attest(port, policy, ...trusting());
    expect(refused).toMatchObject({ accepted: false, code: 'appraisal', status: 1 });
    expect(refused.error?.message).toContain('host-data');
    // A policy that takes any launch spec.
    const text = readFileSync(policy, 'utf8');
    const lax = text.replace(/hostData:(\s+- )?.*[0-9a-f]{64}.*/, 'hostData: any-explicit');
    expect(lax).not.toBe(text);
    const any = host.write('any.yaml', lax);
    expect(await host.attest(port, any, ...trusting())).toMatchObject({ accepted: true });
    const blue = ['--expect-deployment', 'blue'];
    expect(await host.attest(port, any, ...trusting(), ...blue)).toMatchObject({
      code: 'expected-deployment',
      error: { found: 'green' },
    });
    const spec = ['--expect-spec', String(box('one').answer['specDigest'])];
    expect(await host.attest(port, any, ...trusting(), ...spec)).toMatchObject({
      code: 'expected-spec',
      error: { found: answer['specDigest'] },
    });
  });
});

describe('a man in the middle', () => {
  it('a man in the middle with the certificate but not the key gets no session', async () => {
    const { certificate, id, answer } = box('one');
    const { verdict, asked } = await verdictOn({
      source: forged(host.stolen(id), answer),
      own: withoutKey(certificate.toString()),
    });
    expect(verdict.code).toBe('tls-key');
    expect(asked).toEqual([]);
  });

  it('a man in the middle who relays the challenge to the box is refused by the report data', async () => {
    const { port } = box('one');
    const { verdict } = await verdictOn(impostor((nonce) => askedOf(port, nonce)));
    expect(verdict.code).toBe('report-data');
  });

  it('a man in the middle with the evidence in his own certificate is refused before any request', async () => {
    const { id, answer } = box('one');
    const genuine = forged(host.stolen(id), answer);
    const recorded = await genuine.evidence(new Uint8Array(64));
    const replaying = { ...genuine, evidence: async () => recorded };
    const { verdict, asked } = await verdictOn({ source: replaying });
    expect(verdict.code).toBe('certificate-report-data');
    expect(asked).toEqual([]);
  });

  it('a man in the middle who replays an earlier answer is refused by the nonce', async () => {
    const { answer } = box('one');
    const { verdict } = await verdictOn(impostor(() => answer));
    expect(verdict.code).toBe('report-data');
  });

  it('a man in the middle who sends the evidence of another box is refused', async () => {
    const { port, answer } = box('twin');
    const { verdict } = await verdictOn(impostor((nonce) => askedOf(port, nonce)));
    expect(verdict).toMatchObject({
      code: 'attest-claims',
      error: { found: answer['instance'] },
    });
  });
});

it('a host that answers as the agent, by a processor of its own, is refused by the pinned chain', async () => {
  const { id, answer } = box('one');
  const state = JSON.parse(readFileSync('test/vectors/simulated/state.json', 'utf8'));
  const chipId: unknown = state.chip.id;
  const guest = new SimulatedSecureProcessor(state).resume({ ...host.stolen(id).keep(), chipId });
  const { verdict } = await verdictOn({ source: forged(guest, answer) });
  expect(verdict.code).toBe('certificate-report');
  expect(verdict.error?.message).toContain('ca-pinned');
});

it('a box answers while its server is dead, and its processor continues with the next server', async () => {
  const { port, instance } = box('one');
  await host.killServer();
  // It gets no reports meanwhile, but its connections are its own: passt carries them.
  const session = await Unverified.open(port);
  expect(await session.ask('GET', '/info')).toMatchObject({ status: 200, document: { instance } });
  expect((await host.inspect('one')).State.Status).toBe('running');
  expect(await session.attest(NONCE)).toMatchObject({ status: 200, document: { instance } });
  session.close();
  const accepted = { accepted: true, box: { instance } };
  expect(await host.attest(port, policy, ...trusting())).toMatchObject(accepted);
  expect(await host.attest('one', policy, ...trusting())).toMatchObject(accepted);
});

it('a restarted box is another instance, for which the earlier certificate is refused', async () => {
  const before = box('one');
  await host.actor.ok(['stop', '-t', '0', 'one']);
  await host.actor.ok(['start', '--image-policy', host.at('images.yaml'), 'one']);
  const now = await look('one');
  expect(now.instance).not.toBe(before.instance);
  expect(now.answer['specDigest']).toBe(before.answer['specDigest']);
  const earlier = ['--expect-instance', before.instance];
  expect(await host.attest(now.port, policy, ...trusting(), ...earlier)).toMatchObject({
    code: 'expected-instance',
  });
  const source = forged(host.stolen(now.id), now.answer);
  const kept = await verdictOn({ source, own: withoutKey(before.certificate.toString()) });
  expect(kept.verdict.code).toBe('tls-key');
});
