import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decideTrust } from '../decide.ts';
import type { Requirement } from '../policy.ts';
import {
  attachmentOf,
  BUNDLE,
  type LayerParts,
  PROVENANCE,
  simpleSigning,
  statementOf,
} from '../testing/artifacts.ts';
import {
  digestOf,
  identityOf,
  keyOf,
  NOW,
  questionOf,
  requirementOf,
  requiring,
} from '../testing/policies.ts';
import {
  type BundleJson,
  base64,
  bundleJson,
  bundleLayers,
  type Parts,
  signIn,
} from '../testing/signatures.ts';
import {
  ISSUER,
  pair,
  type SigstoreWorld,
  SUBJECT,
  sigstoreWorld,
} from '../testing/sigstore-world.ts';

const IMAGE = digestOf('an image');
const OTHER = digestOf('another image');
const PAYLOAD = simpleSigning(IMAGE);
const SIGN = 'https://sigstore.dev/cosign/sign/v1';
const ATTESTATION = { predicateType: PROVENANCE, conditions: [] };
const alice = pair();

let world: SigstoreWorld;
let signature: Parts;
let attestation: Parts;

beforeAll(async () => {
  world = await sigstoreWorld();
  signature = await signIn(world, PAYLOAD);
  attestation = await signIn(world, statementOf(IMAGE), { enveloped: true });
});

async function decide(layers: readonly LayerParts[], parts: Partial<Requirement> = {}) {
  const requirement = requirementOf({
    identities: [identityOf(ISSUER, SUBJECT)],
    transparencyLog: 'required',
    trustMaterial: world.material,
    ...parts,
  });
  const attachment = attachmentOf(IMAGE, layers, 'referrer');
  const decision = await decideTrust(questionOf(IMAGE, [attachment]), requiring(requirement), NOW);
  const [finding] = decision.requirements[0]?.findings ?? [];
  return { ...decision, finding, code: finding?.problem?.code };
}

/** The decision on a bundle, whose JSON `change` may change. */
async function decideOn(parts: Parts, change: (json: BundleJson) => object = (json) => json) {
  const required = parts.enveloped ? { attestation: ATTESTATION } : {};
  return await decide(bundleLayers(parts, change(bundleJson(parts))), required);
}

describe('a bundle', () => {
  it.each([
    ['0.1', 'application/vnd.dev.sigstore.bundle+json;version=0.1'],
    ['0.2', 'application/vnd.dev.sigstore.bundle+json;version=0.2'],
    ['0.3', 'application/vnd.dev.sigstore.bundle+json;version=0.3'],
    ['0.3', 'application/vnd.dev.sigstore.bundle.v0.3+json'],
  ])('accepts a bundle of version %s with the media type %s', async (version, mediaType) => {
    for (const parts of [signature, attestation]) {
      const layers = bundleLayers(parts, bundleJson(parts, mediaType));
      const { verdict, finding } = await decide(
        layers.map((layer) => (layer.mediaType === BUNDLE ? { ...layer, mediaType } : layer)),
        parts.enveloped ? { attestation: ATTESTATION } : {},
      );
      expect(verdict).toBe('signed');
      expect(finding?.format).toBe(`bundle-${version}`);
    }
  });

  it.each([
    'application/vnd.dev.sigstore.bundle.v0.4+json',
    'application/vnd.dev.sigstore.bundle.v0.3+json; charset=x',
    'application/vnd.dev.sigstore.bundle+json;version=0.12',
    'application/json',
  ])('refuses a bundle of type %s', async (mediaType) => {
    expect(await decideOn(attestation, (json) => ({ ...json, mediaType }))).toMatchObject({
      verdict: 'refused',
    });
  });

  it('accepts a bundle whose signature is a statement', async () => {
    const statement = statementOf(IMAGE, { predicateType: SIGN });
    const parts = await signIn(world, statement, { enveloped: true });
    const layers = bundleLayers(parts, bundleJson(parts));
    expect(await decide(layers)).toMatchObject({ verdict: 'signed' });
    // The statement does not count as an attestation, even when its own type is required.
    const asked = { attestation: { predicateType: SIGN, conditions: [] } };
    expect((await decide(layers, asked)).reason).toContain('none was found');
    expect(await decide(layers, { dockerReference: 'repository' })).toMatchObject({
      verdict: 'refused',
      code: 'other-reference',
    });
    expect(await decide(layers, { annotations: { a: 'b' } })).toMatchObject({
      code: 'annotation-differs',
    });
  });

  it('refuses a bundle of another artifact', async () => {
    const statement = statementOf(OTHER, { predicateType: SIGN });
    const other = await signIn(world, statement, { enveloped: true });
    expect(await decide(bundleLayers(other, bundleJson(other)))).toMatchObject({
      verdict: 'refused',
      code: 'other-digest',
    });
    const signed = await signIn(world, simpleSigning(OTHER));
    expect((await decideOn(signed)).code).toBe('other-digest');
  });

  it('refuses a bundle of another payload than the one beside it', async () => {
    const digest = base64(Buffer.from(OTHER.slice(7), 'hex'));
    const elsewhere = await decideOn(signature, (json) => ({
      ...json,
      messageSignature: {
        ...json.messageSignature,
        messageDigest: { algorithm: 'SHA2_256', digest },
      },
    }));
    expect(elsewhere).toMatchObject({ verdict: 'refused', code: 'malformed' });
    const layers = bundleLayers(signature, bundleJson(signature));
    expect(await decide(layers.slice(1))).toMatchObject({ verdict: 'refused', code: 'malformed' });
  });

  it('accepts a bundle by a key of the policy, whatever key hint it has', async () => {
    const keys = [keyOf('alice.pub', alice.publicKey)];
    for (const log of ['v1', 'v2', 'none'] as const) {
      const parts = await signIn(world, PAYLOAD, { key: alice.privateKey, log });
      const layers = bundleLayers(parts, bundleJson(parts));
      const transparencyLog = log === 'none' ? 'none' : 'required';
      const policy = { identities: [], keys, transparencyLog } as const;
      expect((await decide(layers, policy)).verdict, log).toBe('signed');
      const others = { ...policy, keys: [keyOf('any hint', pair().publicKey)] };
      expect((await decide(layers, others)).code, log).toBe('no-key-matches');
    }
  });
});

describe('a bundle with an entry of Rekor v2', () => {
  it.each([false, true])(
    'accepts a bundle with an entry of Rekor v2 and a timestamp (in an envelope: %s)',
    async (enveloped) => {
      const parts = await signIn(world, enveloped ? statementOf(IMAGE) : PAYLOAD, {
        enveloped,
        log: 'v2',
      });
      const { verdict, finding } = await decideOn(parts);
      expect(verdict).toBe('signed');
      expect(finding).toMatchObject({ logIndex: '0', signedAt: expect.any(String) });
    },
  );

  it('refuses a bundle with an entry of Rekor v2 but without a timestamp', async () => {
    const parts = await signIn(world, PAYLOAD, { log: 'v2', stamped: false });
    expect((await decideOn(parts)).code).toBe('no-signed-time');
    // The integratedTime of the entry is not signed.
    const [entry] = parts.entries;
    if (entry === undefined) throw new Error('no entry');
    const integratedTime = String(Math.floor(Date.now() / 1000));
    expect((await decideOn({ ...parts, entries: [{ ...entry, integratedTime }] })).code).toBe(
      'no-signed-time',
    );
  });

  it('refuses a bundle with an entry of Rekor v2 for another artifact', async () => {
    const parts = await signIn(world, PAYLOAD, { log: 'v2' });
    const { entries } = await signIn(world, simpleSigning(OTHER), { log: 'v2' });
    expect((await decideOn({ ...parts, entries })).code).toBe('log-entry-of-other-artifact');
  });

  it('refuses a bundle that names another log or has no proof', async () => {
    const parts = await signIn(world, PAYLOAD, { log: 'v2' });
    const { entry, inclusionProof } = provenBy(parts);
    const changes: [Partial<TransparencyLogEntry>, string][] = [
      [{ logId: { keyId: Buffer.alloc(32) } }, 'log-entry-unproven'],
      [{ inclusionProof: { ...inclusionProof, logIndex: '1' } }, 'log-entry-unproven'],
      [{ inclusionProof: { ...inclusionProof, hashes: [Buffer.alloc(32)] } }, 'log-entry-unproven'],
      [{ inclusionProof: undefined }, 'malformed'],
    ];
    for (const [change, code] of changes) {
      const decision = await decideOn({ ...parts, entries: [{ ...entry, ...change }] });
      expect(decision).toMatchObject({ verdict: 'refused', code });
    }
  });

  it('refuses a bundle with any character of its checkpoint changed', async () => {
    const parts = await signIn(world, PAYLOAD, { log: 'v2' });
    const { checkpoint, withCheckpoint } = provenBy(parts);
    for (let index = 0; index < checkpoint.length; index += 1) {
      const { verdict } = await decideOn(withCheckpoint(flipped(checkpoint, index)));
      expect(verdict, `character ${index}`).toBe('refused');
    }
  });

  it('refuses a bundle whose checkpoint has a signature in another spelling', async () => {
    const parts = await signIn(world, PAYLOAD, { log: 'v2' });
    const { checkpoint, withCheckpoint } = provenBy(parts);
    const padded = checkpoint.replace(/\n$/, '====\n');
    expect(await decideOn(withCheckpoint(padded))).toMatchObject({ code: 'log-entry-malformed' });
  });

  it.each(['(.*)*(.*)*(.*)*(.*)*x', '.*', '[', 'rekor.example(', 'a'.repeat(300), ''])(
    'compares the name %j of a checkpoint signature literally',
    async (name) => {
      const parts = await signIn(world, PAYLOAD, { log: 'v2' });
      const { checkpoint, withCheckpoint } = provenBy(parts);
      const renamed = checkpoint.replace('\u2014 rekor.example ', `\u2014 ${name} `);
      expect(await decideOn(withCheckpoint(renamed))).toMatchObject({
        verdict: 'refused',
        code: 'log-entry-malformed',
      });
    },
  );
});

describe('the JSON of a bundle', () => {
  const refused = { verdict: 'refused', code: 'malformed' };

  it('refuses a bundle with both contents or none', async () => {
    const { messageSignature } = bundleJson(signature);
    expect(await decideOn(attestation, (json) => ({ ...json, messageSignature }))).toMatchObject(
      refused,
    );
    expect(await decideOn(attestation, ({ dsseEnvelope: _, ...json }) => json)).toMatchObject(
      refused,
    );
  });

  it('refuses a bundle with more than one kind of verification material', async () => {
    for (const more of [{ publicKey: { hint: 'x' } }, { certificate: undefined }]) {
      const decision = await decideOn(attestation, (json) => ({
        ...json,
        verificationMaterial: { ...json.verificationMaterial, ...more },
      }));
      expect(decision).toMatchObject(refused);
    }
  });

  it('refuses a bundle with an unknown member', async () => {
    expect(await decideOn(attestation, (json) => ({ ...json, more: 1 }))).toMatchObject(refused);
  });

  it('refuses a bundle with a member twice', async () => {
    const text = JSON.stringify(bundleJson(attestation));
    for (const twice of [
      text.replace('{', '{"mediaType":"x",'),
      text.replace('"dsseEnvelope":{', '"dsseEnvelope":{"payload":"",'),
    ]) {
      const layer = { mediaType: BUNDLE, content: Buffer.from(twice) };
      expect(await decide([layer], { attestation: ATTESTATION })).toMatchObject(refused);
    }
  });

  it('refuses a bundle without exactly one signature, of SHA-256', async () => {
    const two = await decideOn(attestation, (json) => {
      const { signatures = [], ...envelope } = json.dsseEnvelope ?? {};
      return { ...json, dsseEnvelope: { ...envelope, signatures: [...signatures, ...signatures] } };
    });
    expect(two).toMatchObject(refused);
    const other = await decideOn(signature, (json) => ({
      ...json,
      messageSignature: {
        ...json.messageSignature,
        messageDigest: { ...json.messageSignature?.messageDigest, algorithm: 'SHA2_512' },
      },
    }));
    expect(other).toMatchObject(refused);
  });

  it('refuses a bundle of version 0.2 or later with an entry without a proof', async () => {
    const entries = signature.entries.map((entry) => ({ ...entry, inclusionProof: undefined }));
    expect(await decideOn({ ...signature, entries })).toMatchObject(refused);
  });

  it('refuses a bundle with any character of its evidence changed', async () => {
    const text = JSON.stringify(bundleJson(attestation));
    // Every second character is enough, since each base64 character is only part of a byte; a part
    // of these is, outside a soak.
    const step = process.env['SOAK'] === undefined ? 7 : 2;
    for (let index = 0; index < text.length; index += step) {
      const layer = { mediaType: BUNDLE, content: Buffer.from(flipped(text, index)) };
      const { verdict } = await decide([layer], { attestation: ATTESTATION });
      expect(verdict, `${text.slice(index - 30, index)}>${text[index]}<`).toBe('refused');
    }
  }, 60_000);

  it(
    'decides on any JSON in any place of a bundle without throwing',
    async () => {
      const json = bundleJson(attestation);
      const places = fc.constantFrom(...pathsOf(json));
      await fuzz(
        fc.asyncProperty(places, fc.jsonValue(), async (path, value) => {
          const content = Buffer.from(JSON.stringify(replaced(json, path, value)));
          const decision = await decide([{ mediaType: BUNDLE, content }], {
            attestation: ATTESTATION,
          });
          expect(['refused', 'signed']).toContain(decision.verdict);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

/** The proof of the first entry, and a function that replaces its checkpoint. */
function provenBy(parts: Parts) {
  const [entry] = parts.entries;
  const inclusionProof = entry?.inclusionProof;
  const checkpoint = inclusionProof?.checkpoint?.envelope;
  if (entry === undefined || inclusionProof === undefined || checkpoint === undefined) {
    throw new Error('there is no proof');
  }
  const withCheckpoint = (envelope: string): Parts => {
    const proof = { ...inclusionProof, checkpoint: { envelope } };
    return { ...parts, entries: [{ ...entry, inclusionProof: proof }] };
  };
  return { entry, inclusionProof, checkpoint, withCheckpoint };
}

function flipped(text: string, index: number): string {
  const other = String.fromCharCode(text.charCodeAt(index) ^ 1);
  return text.slice(0, index) + other + text.slice(index + 1);
}

type Path = readonly string[];

function pathsOf(value: unknown): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [
    [name],
    ...pathsOf(member).map((path) => [name, ...path]),
  ]);
}

function replaced(value: unknown, [name, ...rest]: Path, by: unknown): unknown {
  if (name === undefined) return by;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, member]) => [
    key,
    key === name ? replaced(member, rest, by) : member,
  ]);
  return Array.isArray(value) ? entries.map(([, member]) => member) : Object.fromEntries(entries);
}
