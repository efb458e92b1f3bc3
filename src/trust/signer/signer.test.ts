import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { decideTrust } from '../decide.ts';
import type { Requirement } from '../policy.ts';
import { attachmentOf, simpleSigning } from '../testing/artifacts.ts';
import { decideIn, type Form, IMAGE, PAYLOAD, signOneIn } from '../testing/one-signature.ts';
import { digestOf, keyOf, NOW, questionOf, requirementOf, requiring } from '../testing/policies.ts';
import {
  BODIES,
  legacyLayer,
  type Parts,
  pemOf,
  type SignOptions,
  signIn,
} from '../testing/signatures.ts';
import {
  ISSUER,
  pair,
  type SigstoreWorld,
  SUBJECT,
  sigstoreWorld,
} from '../testing/sigstore-world.ts';

const OTHER = digestOf('another image');
const alice = pair();

let world: SigstoreWorld;
let elsewhere: SigstoreWorld;
let unlogged: SigstoreWorld;
beforeAll(async () => {
  // Both worlds share a clock, since one logs what the other certifies.
  const clock = inSeconds(60);
  world = await sigstoreWorld({ clock });
  elsewhere = await sigstoreWorld({ clock });
  unlogged = await sigstoreWorld({ withoutCertificateLog: true });
});

const decide = (parts: Parts, form: Form, requirement?: Partial<Requirement>) =>
  decideIn(world, parts, form, requirement);

const sign = (options?: SignOptions, payload?: Buffer) => signOneIn(world, options, payload);

const KEY_POLICY: Partial<Requirement> = {
  identities: [],
  keys: [keyOf('alice.pub', alice.publicKey)],
};

describe.each(['legacy', 'bundle'] as const)('a certificate, in a %s signature', (form) => {
  it('accepts a signature with a certificate, and reports its signer, time and log entry', async () => {
    const parts = await sign();
    const { verdict, finding, reason } = await decide(parts, form);
    expect(reason).toBe(
      `rule 1 ("registry.example:5000/team/**") holds: signed by ${SUBJECT} (${ISSUER})`,
    );
    expect(verdict).toBe('signed');
    const [entry] = parts.entries;
    expect(finding).toMatchObject({
      accepted: true,
      signer: { kind: 'identity', issuer: ISSUER, subject: SUBJECT },
      logIndex: entry?.logIndex,
      logId: entry?.logId.keyId.toString('hex'),
      signedAt: new Date(Number(entry?.integratedTime) * 1000).toISOString(),
    });
  });

  it('accepts an attestation with a certificate', async () => {
    const parts = await sign({ enveloped: true });
    expect(await decide(parts, form)).toMatchObject({ verdict: 'signed' });
  });

  it.each([
    ['another issuer', { issuer: `${ISSUER}.evil.example` }],
    ['a prefix of the issuer', { issuer: 'https://issuer' }],
    ['another subject', { subject: `${SUBJECT}/fork` }],
    ['a subject in other case', { subject: SUBJECT.toUpperCase() }],
  ])('refuses a certificate with %s', async (_, certificate) => {
    const { verdict, code } = await decide(await sign({ certificate }), form);
    expect({ verdict, code }).toEqual({ verdict: 'refused', code: 'other-identity' });
  });

  it('refuses a certificate where the policy has keys only, even for a key of the policy', async () => {
    const parts = await sign({ key: alice.privateKey });
    const certificate = await world.certify(alice.publicKey);
    expect(await decide({ ...parts, certificate }, form, KEY_POLICY)).toMatchObject({
      verdict: 'refused',
      code: 'certificate-not-asked-for',
    });
  });

  it('refuses a certificate of an untrusted authority', async () => {
    const parts = await signIn(elsewhere, PAYLOAD, {});
    const here = await sign();
    const { code } = await decide({ ...here, certificate: parts.certificate ?? PAYLOAD }, form);
    // The log entry names another certificate; that check comes first.
    expect(code).toBe('log-entry-of-other-artifact');
    const relogged = await relog(parts, world);
    expect(await decide(relogged, form)).toMatchObject({
      verdict: 'refused',
      code: 'certificate-untrusted',
    });
  });

  it('refuses a signature of an unknown authority, whatever times it claims', async () => {
    const parts = await sign();
    const certificate = parts.certificate ?? PAYLOAD;
    // The certificate ends in month 13: OpenSSL parses it, but cannot convert the time.
    const broken = Buffer.from(certificate);
    const times = [...broken.toString('latin1').matchAll(/\d{8,10}\d{4}Z/g)];
    const { index: at = 0, 0: text = '' } = times[1] ?? {};
    broken.write('13', at + text.length - 11, 'latin1');
    expect(Date.parse(new X509Certificate(broken).validTo)).toBeNaN();
    const entry = await elsewhere.log(BODIES.hashedrekord(parts, pemOf(broken)));
    for (const integratedTime of ['1', '999999999999999']) {
      const entries = [{ ...entry, integratedTime }];
      const decision = await decide({ ...parts, certificate: broken, entries }, form);
      expect(decision).toMatchObject({ verdict: 'refused' });

      expect(decision.code).toBe('certificate-malformed');
    }
  });

  it('refuses a certificate under the trusted root of another instance', async () => {
    const { code } = await decide(await sign(), form, { trustMaterial: elsewhere.material });
    expect(code).toBe('certificate-untrusted');
  });

  it('refuses a certificate when the trusted root is unavailable', async () => {
    const { verdict, code, reason } = await decide(await sign(), form, {
      trustMaterial: async () => {
        throw new Error('it is gone');
      },
    });
    expect({ verdict, code }).toEqual({ verdict: 'refused', code: 'trusted-root-unavailable' });
    expect(reason).toContain('the trusted root cannot be used: it is gone');
  });

  it('refuses a certificate without an SCT', async () => {
    const parts = await signIn(unlogged, PAYLOAD, {});
    expect(await decide(parts, form, { trustMaterial: unlogged.material })).toMatchObject({
      verdict: 'refused',
      code: 'sct-missing',
    });
  });

  it('refuses a certificate with an SCT of an untrusted log', async () => {
    const parts = await sign();
    const trustMaterial = async () => ({
      ...(await world.material()),
      ctlogs: (await elsewhere.material()).ctlogs,
    });
    expect((await decide(parts, form, { trustMaterial })).code).toBe('sct-invalid');
  });

  it('refuses a certificate that was not valid at the time of signing', async () => {
    const parts = await sign();
    const later = await sigstoreWorld({ clock: inSeconds(3600) });
    const late = await relog(parts, later);
    const trustMaterial = async () => ({
      ...(await world.material()),
      tlogs: (await later.material()).tlogs,
    });
    const { code, reason } = await decide(late, form, { trustMaterial });
    expect(code).toBe('certificate-not-valid-then');
    expect(reason).toMatch(/its certificate is valid from .* to .*, and it was signed at /);
  });

  it('refuses a timestamp outside the validity of the certificate', async () => {
    const early = await sigstoreWorld({ stampClock: inSeconds(3600) });
    const parts = await signIn(early, PAYLOAD, { stamped: true });
    expect(await decide(parts, form, { trustMaterial: early.material })).toMatchObject({
      code: 'certificate-not-valid-then',
    });
  });

  it('refuses a timestamp of another signature', async () => {
    const parts = await sign({ stamped: true });
    expect((await decide(parts, form)).verdict).toBe('signed');
    const timestamps = [await world.stamp(Buffer.from('another signature'))];
    expect((await decide({ ...parts, timestamps }, form)).code).toBe('timestamp-invalid');
  });

  it('refuses a timestamp of an untrusted authority', async () => {
    const parts = await sign();
    const timestamps = [await elsewhere.stamp(parts.signature)];
    expect((await decide({ ...parts, timestamps }, form)).code).toBe('timestamp-invalid');
  });

  it('refuses a malformed timestamp', async () => {
    const parts = await sign();
    const good = await world.stamp(parts.signature);
    for (const bad of [Buffer.from('x'), good.subarray(0, 100), Buffer.alloc(9_000, 0x30)]) {
      expect(await decide({ ...parts, timestamps: [bad] }, form)).toMatchObject({
        verdict: 'refused',
        code: 'malformed',
      });
    }
  });

  it('refuses a signature without a log entry where one is required', async () => {
    const parts = await sign({ log: 'none', stamped: true });
    expect((await decide(parts, form)).code).toBe('log-entry-missing');
    const without = await decide(parts, form, { transparencyLog: 'none' });
    expect(without.verdict).toBe('signed');
    expect(without.finding?.signedAt).toBeDefined();
    expect(without.finding?.logIndex).toBeUndefined();
  });

  it('refuses a certificate without any signed time of its use', async () => {
    const parts = await sign({ log: 'none' });
    const { code } = await decide(parts, form, { transparencyLog: 'none' });
    expect(code).toBe('no-signed-time');
  });

  it('refuses a log entry of another artifact, even where none is required', async () => {
    const parts = await sign();
    const other = await sign({}, simpleSigning(OTHER));
    for (const transparencyLog of ['required', 'none'] as const) {
      const swapped = { ...parts, entries: other.entries };
      expect(await decide(swapped, form, { transparencyLog })).toMatchObject({
        verdict: 'refused',
        code: 'log-entry-of-other-artifact',
      });
    }
  });

  it('refuses a log entry that names another certificate', async () => {
    const key = pair();
    const parts = await sign({ key: key.privateKey });
    const certificate = await world.certify(key.publicKey);
    const other = await world.certify(key.publicKey, { subject: 'https://evil.example' });
    const entries = [await world.log(BODIES.hashedrekord(parts, pemOf(other)))];
    expect((await decide({ ...parts, certificate, entries }, form)).code).toBe(
      'log-entry-of-other-artifact',
    );
  });

  it('refuses a log entry of an untrusted log', async () => {
    const parts = await relog(await sign(), elsewhere);
    expect((await decide(parts, form)).code).toBe('log-entry-unproven');
  });

  it('refuses a certificate whose key did not make the signature', async () => {
    const parts = await sign();
    const wrong = { ...parts, certificate: await world.certify(alice.publicKey) };
    const relogged = await relog(wrong, world);
    expect((await decide(relogged, form)).code).toBe('signature-invalid');
  });

  it('refuses a certificate with any byte changed', async () => {
    const parts = await sign();
    const certificate = parts.certificate ?? PAYLOAD;
    for (const index of certificate.keys()) {
      const { verdict } = await decide({ ...parts, certificate: flip(certificate, index) }, form);
      expect(verdict, `byte ${index}`).toBe('refused');
    }
  });

  it('refuses a promise of the log with any byte changed', async () => {
    const parts = await sign();
    const [entry] = parts.entries;
    const promise = entry?.inclusionPromise?.signedEntryTimestamp;
    if (entry === undefined || promise === undefined) throw new Error('no promise');
    for (const index of promise.keys()) {
      const inclusionPromise = { signedEntryTimestamp: flip(promise, index) };
      const { code } = await decide({ ...parts, entries: [{ ...entry, inclusionPromise }] }, form);
      expect(code, `byte ${index}`).toBe('log-entry-unproven');
    }
  });

  it('refuses a log entry with another time, index or body than the log promised', async () => {
    const parts = await sign();
    const [entry] = parts.entries;
    if (entry === undefined) throw new Error('no entry');
    for (const change of [
      { integratedTime: String(Number(entry.integratedTime) + 1) },
      { logIndex: String(Number(entry.logIndex) + 1) },
      { canonicalizedBody: Buffer.concat([entry.canonicalizedBody, Buffer.from(' ')]) },
    ]) {
      const { code } = await decide({ ...parts, entries: [{ ...entry, ...change }] }, form);
      expect(code, Object.keys(change).join()).toBe('log-entry-unproven');
    }
  });
});

describe('identities', () => {
  it('distinguishes identities by issuer and subject, however many certificates they have', async () => {
    const requirement = requirementOf({
      identities: [{ issuer: ISSUER, matches: () => true, text: 'anybody' }],
      threshold: 2,
      transparencyLog: 'required',
      trustMaterial: world.material,
    });
    const ask = async (...all: Parts[]) => {
      const attachment = attachmentOf(IMAGE, all.map(legacyLayer));
      return await decideTrust(questionOf(IMAGE, [attachment]), requiring(requirement), NOW);
    };
    const [first, again] = [await sign(), await sign()];
    expect(await ask(first, again)).toMatchObject({
      verdict: 'refused',
      requirements: [{ signers: 1 }],
    });
    const other = await sign({ certificate: { subject: 'https://ci.example/team/other' } });
    expect(await ask(first, other)).toMatchObject({ verdict: 'signed' });
  });

  it.each([
    ['bare text alone', [{ oid: '1.3.6.1.4.1.57264.1.1', value: ISSUER, legacy: true }], 'signed'],
    ['UTF8String alone', [{ oid: '1.3.6.1.4.1.57264.1.8', value: ISSUER }], 'signed'],
    [
      'two issuers',
      [
        { oid: '1.3.6.1.4.1.57264.1.1', value: 'https://evil.example', legacy: true },
        { oid: '1.3.6.1.4.1.57264.1.8', value: ISSUER },
      ],
      'certificate-malformed',
    ],
    [
      'two of the same extension',
      [
        { oid: '1.3.6.1.4.1.57264.1.8', value: ISSUER },
        { oid: '1.3.6.1.4.1.57264.1.8', value: ISSUER },
      ],
      'certificate-malformed',
    ],
    ['no issuer', [], 'certificate-malformed'],
  ])('reads the issuer of a certificate with %s', async (_, extensions, expected) => {
    const { verdict, code } = await decide(await sign({ certificate: { extensions } }), 'bundle');
    expect(code ?? verdict).toBe(expected);
  });
});

describe.each(['legacy', 'bundle'] as const)('a key with a log, in a %s signature', (form) => {
  it('accepts a signature by a key with its log entry', async () => {
    for (const enveloped of [false, true]) {
      const parts = await sign({ key: alice.privateKey, enveloped });
      const { verdict, finding } = await decide(parts, form, KEY_POLICY);
      expect(verdict).toBe('signed');
      expect(finding?.logIndex).toBe(parts.entries[0]?.logIndex);
    }
  });

  it('refuses a signature by a key without a log entry, or with one of another key', async () => {
    const parts = await sign({ key: alice.privateKey });
    expect((await decide({ ...parts, entries: [] }, form, KEY_POLICY)).code).toBe(
      'log-entry-missing',
    );
    for (const verifier of [pair().publicKey, await world.certify(alice.publicKey)]) {
      const entries = [await world.log(BODIES.hashedrekord(parts, pemOf(verifier)))];
      expect((await decide({ ...parts, entries }, form, KEY_POLICY)).code).toBe(
        'log-entry-of-other-artifact',
      );
    }
  });

  it('accepts a signature by a key without a log entry where the policy allows that', async () => {
    const parts = await sign({ key: alice.privateKey, log: 'none' });
    const policy: Partial<Requirement> = { ...KEY_POLICY, transparencyLog: 'none' };
    expect((await decide(parts, form, policy)).verdict).toBe('signed');
    const { entries } = await sign({}, simpleSigning(OTHER));
    const { verdict, finding } = await decide({ ...parts, entries }, form, policy);
    expect(verdict).toBe('signed');
    expect(finding?.logIndex).toBeUndefined();
  });

  it('refuses a signature by a key where the policy has identities only', async () => {
    expect((await decide(await sign({ key: alice.privateKey }), form)).code).toBe('no-certificate');
  });
});

/** The same signature with an entry in another log. */
async function relog(parts: Parts, into: SigstoreWorld): Promise<Parts> {
  const pem = pemOf(parts.certificate ?? PAYLOAD);
  return { ...parts, entries: [await into.log(BODIES.hashedrekord(parts, pem))] };
}

function flip(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
  return copy;
}

function inSeconds(seconds: number): Date {
  return new Date((Math.floor(Date.now() / 1000) + seconds) * 1000);
}
