import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { decideTrust } from '../decide.ts';
import type { Requirement } from '../policy.ts';
import { attachmentOf } from '../testing/artifacts.ts';
import {
  ATTESTATION,
  decideIn,
  type Form,
  IMAGE,
  PAYLOAD,
  signOneIn,
} from '../testing/one-signature.ts';
import {
  identityOf,
  keyOf,
  NOW,
  questionOf,
  requirementOf,
  requiring,
} from '../testing/policies.ts';
import {
  BODIES,
  BODIES_V2,
  envelopeOfParts,
  legacyLayer,
  type Parts,
  pemOf,
  type SignOptions,
} from '../testing/signatures.ts';
import {
  ISSUER,
  pair,
  type SigstoreWorld,
  SUBJECT,
  sigstoreWorld,
} from '../testing/sigstore-world.ts';

const alice = pair();

let world: SigstoreWorld;
let elsewhere: SigstoreWorld;

beforeAll(async () => {
  world = await sigstoreWorld();
  elsewhere = await sigstoreWorld();
});

const decide = (parts: Parts, form: Form, requirement?: Partial<Requirement>) =>
  decideIn(world, parts, form, requirement);
const sign = (options?: SignOptions, payload?: Buffer) => signOneIn(world, options, payload);

const KEY_POLICY: Partial<Requirement> = {
  identities: [],
  keys: [keyOf('alice.pub', alice.publicKey)],
};

describe("cosign's entries", () => {
  it.each(['intoto', 'intoto2', 'dsse'] as const)('accepts a log entry of kind %s', async (log) => {
    for (const options of [{ log }, { log, key: alice.privateKey }] as const) {
      const parts = await sign({ ...options, enveloped: true });
      const policy = 'key' in options ? KEY_POLICY : {};
      expect(await decide(parts, 'legacy', policy), log).toMatchObject({ verdict: 'signed' });
    }
  });

  it('accepts a log entry of kind rekord', async () => {
    expect(await decide(await sign({ log: 'rekord' }), 'legacy')).toMatchObject({
      verdict: 'signed',
    });
  });

  it('refuses an intoto 0.0.1 entry of another envelope, or promised by an untrusted log', async () => {
    const parts = await sign({ log: 'intoto', enveloped: true });
    const respelled = legacyLayer(parts);
    const content = Buffer.from(envelopeOfParts(parts).replace('{', '{ '));
    const requirement = requirementOf({
      identities: [identityOf(ISSUER, SUBJECT)],
      transparencyLog: 'required',
      attestation: ATTESTATION,
      trustMaterial: world.material,
    });
    const attachment = attachmentOf(IMAGE, [{ ...respelled, content }]);
    const decision = await decideTrust(
      questionOf(IMAGE, [attachment]),
      requiring(requirement),
      NOW,
    );
    expect(decision.reason).toContain('of another artifact: it has another envelope');
    const trustMaterial = async () => ({
      ...(await world.material()),
      tlogs: (await elsewhere.material()).tlogs,
    });
    expect((await decide(parts, 'legacy', { trustMaterial })).code).toBe('log-entry-unproven');
  });

  it('refuses a promise of an Ed25519 log with a reason', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const parts = await sign({ log: 'rekord' });
    const [log, ...others] = (await world.material()).tlogs;
    if (log === undefined) throw new TypeError('the world has no log');
    const trustMaterial = async () => ({
      ...(await world.material()),
      tlogs: [{ ...log, publicKey }, ...others],
    });
    expect((await decide(parts, 'legacy', { trustMaterial })).code).toBe('log-entry-unproven');
  });

  it('refuses a log entry of an unknown kind', async () => {
    const parts = await sign();
    const body = {
      ...BODIES.hashedrekord(parts, pemOf(parts.certificate ?? PAYLOAD)),
      kind: 'tuf',
    };
    expect((await decide({ ...parts, entries: [await world.log(body)] }, 'legacy')).code).toBe(
      'log-entry-malformed',
    );
  });

  it('accepts a timestamp over the envelope of an attestation in place of a log entry', async () => {
    const parts = await sign({ enveloped: true, log: 'none' });
    const policy = { transparencyLog: 'none' } as const;
    const stamp = async (content: Buffer) =>
      await decide({ ...parts, timestamps: [await world.stamp(content)] }, 'legacy', policy);
    expect((await stamp(Buffer.from(envelopeOfParts(parts)))).verdict).toBe('signed');
    expect((await stamp(parts.signature)).code).toBe('timestamp-invalid');
  });
});

describe('a hash that was signed', () => {
  it('accepts a hashed entry of Rekor v2 for an envelope by the hash of its PAE', async () => {
    const parts = await sign({ log: 'v2-hash', enveloped: true });
    expect(await decide(parts, 'bundle')).toMatchObject({ verdict: 'signed' });
    const verifier = parts.certificate ?? PAYLOAD;
    // The hash of the payload alone, which the signature does not cover.
    const body = BODIES_V2.hashedrekord({ ...parts, enveloped: false }, verifier);
    const { finding } = await decide(
      { ...parts, entries: [world.logV2(body, 'hashedrekord')] },
      'bundle',
    );
    expect(finding?.problem).toEqual({
      code: 'log-entry-of-other-artifact',
      message: 'its entry in the transparency log is of another artifact: it has another payload',
    });
  });

  it('refuses a hashed entry of Rekor v1 for an envelope', async () => {
    const parts = await sign({ log: 'none', enveloped: true });
    const pem = pemOf(parts.certificate ?? PAYLOAD);
    const entries = [await world.log(BODIES.hashedrekord(parts, pem))];
    expect((await decide({ ...parts, entries }, 'bundle')).reason).toContain(
      'of another artifact: it has another type',
    );
  });

  it.each([
    ['P-384', 'sha384'],
    ['P-521', 'sha512'],
  ] as const)('accepts an entry of a key on %s with the hash %s', async (namedCurve, hash) => {
    const key = generateKeyPairSync('ec', { namedCurve });
    const policy = { identities: [], keys: [keyOf('long.pub', key.publicKey)] };
    for (const log of ['v1', 'v2', 'v2-hash'] as const) {
      for (const enveloped of [false, true]) {
        const parts = await sign({ key: key.privateKey, hash, log, enveloped });
        const { verdict } = await decide(parts, 'bundle', policy);
        expect({ log, enveloped, verdict }).toEqual({ log, enveloped, verdict: 'signed' });
        const other = await sign({ key: key.privateKey, hash, log, enveloped });
        const { code } = await decide({ ...parts, entries: other.entries }, 'bundle', policy);
        expect(code).toBe('log-entry-of-other-artifact');
      }
    }
  });

  it('refuses an entry with a hash that does not belong to the type of the key', async () => {
    const parts = await sign({ key: alice.privateKey, log: 'none' });
    for (const hash of ['sha384', 'sha512'] as const) {
      const longer = { ...parts, hash };
      for (const entry of [
        await world.log(BODIES.hashedrekord(longer, pemOf(alice.publicKey))),
        world.logV2(BODIES_V2.hashedrekord(longer, alice.publicKey), 'hashedrekord'),
      ]) {
        expect((await decide({ ...parts, entries: [entry] }, 'bundle', KEY_POLICY)).code).toBe(
          'log-entry-of-other-artifact',
        );
      }
    }
  });
});

describe('an entry with a proof alone', () => {
  it('verifies an entry with a proof alone against the log that it names, and no other', async () => {
    const parts = await sign({ log: 'v2' });
    expect((await decide(parts, 'bundle')).verdict).toBe('signed');
    const [first] = (await world.material()).tlogs;
    const logId = { keyId: first?.logID ?? Buffer.alloc(0) };
    const entries = parts.entries.map((entry) => ({ ...entry, logId }));
    expect(entries[0]?.logId).not.toEqual(parts.entries[0]?.logId);
    expect((await decide({ ...parts, entries }, 'bundle')).code).toBe('log-entry-unproven');
  });
});
