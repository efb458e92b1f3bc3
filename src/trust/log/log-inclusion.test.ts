import { generateKeyPairSync, sign } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Requirement } from '../policy.ts';
import { decideIn, signOneIn } from '../testing/one-signature.ts';
import { keyOf } from '../testing/policies.ts';
import type { Parts } from '../testing/signatures.ts';
import { pair, type SigstoreWorld, sigstoreWorld } from '../testing/sigstore-world.ts';
import { isPromised, promisedTime } from './log-promise.ts';

const alice = pair();
const KEY_POLICY: Partial<Requirement> = {
  identities: [],
  keys: [keyOf('alice.pub', alice.publicKey)],
};
const FAR = { start: new Date(0), end: new Date(8.64e15) };

let world: SigstoreWorld;
/** A signature with a proof and a timestamp, which dates entries of Rekor v2. */
let proven: Parts;
let promised: Parts;
let signedAt: number;

beforeAll(async () => {
  world = await sigstoreWorld();
  proven = await signOneIn(world, { log: 'v2' });
  promised = await signOneIn(world);
  const { finding } = await decideIn(world, proven, 'bundle');
  signedAt = Date.parse(finding?.signedAt ?? '');
});

/** A trusted root whose logs are valid in the given range. */
function validFor(range: { readonly start?: Date; readonly end?: Date }): Partial<Requirement> {
  const trustMaterial = async () => {
    const material = await world.material();
    const tlogs = material.tlogs.map((log) => ({ ...log, validFor: { ...FAR, ...range } }));
    return { ...material, tlogs };
  };
  return { trustMaterial };
}

describe('the time for which the trusted root has a log', () => {
  it('refuses an entry with a proof alone whose timestamp is outside the validity of its log', async () => {
    for (const range of [
      {},
      { start: new Date(signedAt) },
      { end: new Date(signedAt) },
      { start: new Date(signedAt), end: new Date(signedAt) },
    ]) {
      expect(await decideIn(world, proven, 'bundle', validFor(range))).toMatchObject({
        verdict: 'signed',
      });
    }
    for (const range of [{ start: new Date(signedAt + 1) }, { end: new Date(signedAt - 1) }]) {
      const { finding, verdict } = await decideIn(world, proven, 'bundle', validFor(range));
      expect(verdict).toBe('refused');
      expect(finding?.problem).toEqual({
        code: 'log-entry-unproven',
        message:
          'its entry is not proven to be in a transparency log that the trusted root has for that time',
      });
    }
  });

  it('refuses an entry when any of several timestamps is outside the validity of its log', async () => {
    const later = await sigstoreWorld({ stampClock: new Date(signedAt + 60_000) });
    const timestamps = [...proven.timestamps, await later.stamp(proven.signature)];
    const both = async (range: { end?: Date }): Promise<Partial<Requirement>> => {
      const material = await validFor(range).trustMaterial?.();
      const more = (await later.material()).timestampAuthorities;
      if (material === undefined) throw new TypeError('there is no material');
      const timestampAuthorities = [...material.timestampAuthorities, ...more];
      return { trustMaterial: async () => ({ ...material, timestampAuthorities }) };
    };
    const parts = { ...proven, timestamps };
    expect(await decideIn(world, parts, 'bundle', await both({}))).toMatchObject({
      verdict: 'signed',
    });
    const ended = await both({ end: new Date(signedAt + 30_000) });
    expect((await decideIn(world, parts, 'bundle', ended)).code).toBe('log-entry-unproven');
  });

  it('refuses a promised entry whose promised time is outside the validity of its log', async () => {
    const at = Number(promised.entries[0]?.integratedTime) * 1000;
    const until = (time: number) => validFor({ end: new Date(time) });
    for (const form of ['legacy', 'bundle'] as const) {
      expect((await decideIn(world, promised, form, until(at))).verdict).toBe('signed');
      expect((await decideIn(world, promised, form, until(at - 1000))).code).toBe(
        'log-entry-unproven',
      );
    }
  });

  it('refuses the log entry of a key signature that has neither promise nor timestamp', async () => {
    const parts = await signOneIn(world, { key: alice.privateKey, log: 'v2' });
    expect((await decideIn(world, parts, 'bundle', KEY_POLICY)).verdict).toBe('signed');
    const { finding } = await decideIn(world, { ...parts, timestamps: [] }, 'bundle', KEY_POLICY);
    expect(finding?.problem).toEqual({
      code: 'no-signed-time',
      message:
        'its entry has no promise and it has no timestamp, so nobody who is trusted says when it was signed',
    });
  });
});

describe('an entry with promise and proof', () => {
  it('refuses an entry with promise and proof unless both are valid', async () => {
    const [entry] = promised.entries;
    const [other] = (await signOneIn(world)).entries;
    if (entry === undefined || other === undefined) throw new TypeError('there is no entry');
    for (const change of [
      { inclusionPromise: other.inclusionPromise },
      { inclusionProof: other.inclusionProof },
    ]) {
      const parts = { ...promised, entries: [{ ...entry, ...change }] };
      expect((await decideIn(world, parts, 'bundle')).code).toBe('log-entry-unproven');
    }
  });
});

describe('a promise', () => {
  it.each([
    ['P-256', 'sha256', true],
    ['P-256', 'sha512', false],
    ['P-384', 'sha384', true],
    ['P-384', 'sha256', true],
    ['P-521', 'sha512', true],
    ['P-521', 'sha384', false],
  ])('verifies a promise of a key on %s over %s with the result %s', (namedCurve, hash, holds) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const logID = Buffer.from('a1b2', 'hex');
    // Written by hand, not with the code under test.
    const text = '{"body":"e30=","integratedTime":1700000000,"logID":"a1b2","logIndex":7}';
    const entry = {
      logIndex: '7',
      logId: { keyId: logID },
      kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
      integratedTime: '1700000000',
      inclusionPromise: { signedEntryTimestamp: sign(hash, Buffer.from(text), privateKey) },
      inclusionProof: undefined,
      canonicalizedBody: Buffer.from('{}'),
    };
    const log = { baseURL: 'https://rekor.example', logID, publicKey, validFor: FAR };
    expect(isPromised(entry, [log])).toBe(holds);
    expect(isPromised({ ...entry, logIndex: '8' }, [log])).toBe(false);
    expect(isPromised(entry, [])).toBe(false);
    expect(promisedTime(entry)).toEqual(new Date(1_700_000_000_000));
    expect(promisedTime({ ...entry, inclusionPromise: undefined })).toBeUndefined();
  });
});
