import { createPublicKey, ECDH, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Attachment } from '../images/attachments/attachment.ts';
import { decideTrust } from './decide.ts';
import { TrustDecision } from './decision.ts';
import { identityOfKey } from './keys/signer-key.ts';
import type { Requirement } from './policy.ts';
import {
  attachmentOf,
  signatureLayer,
  signedBy,
  signWith,
  simpleSigning,
} from './testing/artifacts.ts';
import {
  digestOf,
  keyOf,
  NOW,
  policyOf,
  questionOf,
  requirementOf,
  requiring,
} from './testing/policies.ts';
import { pair } from './testing/sigstore-world.ts';

const IMAGE = digestOf('an image');
const INDEX = digestOf('an index');
const OTHER = digestOf('another image');
const RULE = 'rule 1 ("registry.example:5000/team/**")';
const [alice, bob, eve] = [pair(), pair(), pair()];
const ALICE = keyOf('alice.pub', alice.publicKey);
const BOB = keyOf('bob.pub', bob.publicKey);

async function decide(
  attachments: readonly Attachment[],
  parts: Partial<Requirement> = { keys: [ALICE] },
  question: Parameters<typeof questionOf>[2] = {},
) {
  const policy = requiring(requirementOf(parts));
  const decision = await decideTrust(questionOf(IMAGE, attachments, question), policy, NOW);
  expect(TrustDecision.parse(decision)).toEqual(decision);
  const problems = decision.requirements.flatMap(({ findings }) =>
    findings.flatMap(({ problem }) => (problem === undefined ? [] : [problem.code])),
  );
  return { ...decision, problems };
}

describe('decideTrust', () => {
  it('refuses an image that no rule matches', async () => {
    const decision = await decideTrust(questionOf(IMAGE, []), policyOf([]), NOW);
    expect(decision).toMatchObject({
      verdict: 'refused',
      reason: 'no rule of the image policy matches "registry.example:5000/team/app"',
    });
    expect(decision.rule).toBeUndefined();
  });

  it('applies the rule that the policy matches, and no other', async () => {
    const policy = policyOf(
      [
        { pattern: 'a', action: 'allowUnsigned' },
        { pattern: 'b', action: 'deny', reason: 'it is old' },
      ],
      (repository) => (repository === 'registry.example:5000/team/app' ? 1 : 0),
    );
    const decision = await decideTrust(questionOf(IMAGE, []), policy, NOW);
    expect(decision).toMatchObject({
      verdict: 'refused',
      rule: { index: 1, pattern: 'b', action: 'deny' },
      reason: 'rule 2 ("b") denies it: "it is old"',
      at: '2026-11-25T12:00:00.000Z',
    });
  });

  it('accepts an unsigned image where a rule allows it, and reports the unverified signature', async () => {
    const policy = policyOf([{ pattern: '**', action: 'allowUnsigned' }]);
    const none = await decideTrust(questionOf(IMAGE, []), policy, NOW);
    expect(none).toMatchObject({
      verdict: 'unsigned',
      reason: 'rule 1 ("**") allows unsigned images; there are no signatures',
    });
    const forged = signedBy(eve.privateKey, IMAGE);
    const some = await decideTrust(questionOf(IMAGE, [forged]), policy, NOW);
    expect(some.verdict).toBe('unsigned');
    expect(some.reason).toContain('1 signature or attestation is there, not verified');
  });

  it('refuses an unsigned image for a confidential box, unless the rule allows confidential boxes', async () => {
    const question = questionOf(IMAGE, [], { confidential: true });
    const plain = policyOf([{ pattern: '**', action: 'allowUnsigned' }]);
    expect(await decideTrust(question, plain, NOW)).toMatchObject({
      verdict: 'refused',
      rule: { index: 0, action: 'allowUnsigned' },
      reason:
        'rule 1 ("**") allows unsigned images for plain boxes alone: it does not say allowUnsignedConfidential',
    });
    const named = policyOf([{ pattern: '**', action: 'allowUnsigned', confidential: true }]);
    expect(await decideTrust(question, named, NOW)).toMatchObject({ verdict: 'unsigned' });
    const signature = [signedBy(alice.privateKey, IMAGE)];
    const signed = requiring(requirementOf({ keys: [ALICE] }));
    const asked = questionOf(IMAGE, signature, { confidential: true });
    expect(await decideTrust(asked, signed, NOW)).toMatchObject({ verdict: 'signed' });
  });

  it('refuses a rule that requires nothing', async () => {
    const decision = await decideTrust(questionOf(IMAGE, []), requiring(), NOW);
    expect(decision.verdict).toBe('refused');
  });

  it('refuses every image under a requirement that names no signers', async () => {
    const decision = await decide([signedBy(alice.privateKey, IMAGE)], {});
    expect(decision).toMatchObject({ verdict: 'refused', problems: ['no-certificate'] });
  });

  it('refuses an image without signatures', async () => {
    const decision = await decide([]);
    expect(decision).toMatchObject({
      verdict: 'refused',
      reason: `${RULE}: no signature by alice.pub; none was found`,
    });
  });

  it('accepts an image that is signed by a key of the policy', async () => {
    const decision = await decide([signedBy(alice.privateKey, IMAGE)], { keys: [BOB, ALICE] });
    expect(decision).toMatchObject({
      verdict: 'signed',
      reason: `${RULE} holds: signed by alice.pub`,
      requirements: [
        {
          met: true,
          findings: [
            {
              accepted: true,
              format: 'cosign',
              signer: { kind: 'key', name: 'alice.pub', keyId: ALICE.keyId },
            },
          ],
        },
      ],
    });
  });

  it('requires every requirement of a rule to be met', async () => {
    const policy = requiring(requirementOf({ keys: [ALICE] }), requirementOf({ keys: [BOB] }));
    const one = [signedBy(alice.privateKey, IMAGE)];
    const both = [...one, signedBy(bob.privateKey, IMAGE)];
    const refused = await decideTrust(questionOf(IMAGE, one), policy, NOW);
    expect(refused.reason).toBe(
      `${RULE}: no signature by bob.pub; 1 signature was found: it is not by "bob.pub"`,
    );
    expect((await decideTrust(questionOf(IMAGE, both), policy, NOW)).verdict).toBe('signed');
  });

  it('returns the same decision in whatever order the attachments come', async () => {
    const found = [alice, bob, eve].map(({ privateKey }) => signedBy(privateKey, IMAGE));
    const one = await decide(found);
    expect(await decide([...found].reverse())).toEqual(one);
    expect(await decide([...found, ...found])).toEqual(one);
  });
});

describe('a threshold', () => {
  it('counts distinct signers toward a threshold', async () => {
    const two = { keys: [ALICE, BOB], threshold: 2 };
    const twice = [
      signedBy(alice.privateKey, IMAGE),
      signedBy(alice.privateKey, IMAGE, simpleSigning(IMAGE, { optional: { n: 2 } })),
    ];
    const decision = await decide(twice, two);
    expect(decision).toMatchObject({
      verdict: 'refused',
      requirements: [{ signers: 1, threshold: 2, met: false }],
    });
    expect(decision.reason).toContain('by 1 of the 2 distinct signers that are needed');
    const both = await decide([...twice, signedBy(bob.privateKey, IMAGE)], two);
    expect(both).toMatchObject({ verdict: 'signed', requirements: [{ signers: 2 }] });
  });

  it('counts one key under two names, or in two encodings, as one signer', async () => {
    const renamed = { ...keyOf('again.pub', alice.publicKey), keyId: 'another' };
    const compressed = keyOf('short.pub', compress(alice.publicKey));
    expect(compressed.keyId).not.toBe(ALICE.keyId);
    for (const again of [renamed, compressed]) {
      const one = signedBy(alice.privateKey, IMAGE);
      for (const keys of [
        [ALICE, again],
        [again, ALICE],
      ]) {
        const decision = await decide([one], { keys, threshold: 2 });
        expect(decision).toMatchObject({ verdict: 'refused', requirements: [{ signers: 1 }] });
      }
    }
    expect(identityOfKey(compressed.key)).toBe(identityOfKey(ALICE.key));
  });

  it.each([0, -1, Number.NaN])('refuses every image under a threshold of %d', async (threshold) => {
    const policy = requiring(requirementOf({ keys: [ALICE], threshold }));
    const decision = await decideTrust(
      questionOf(IMAGE, [signedBy(alice.privateKey, IMAGE)]),
      policy,
      NOW,
    );
    expect(decision.verdict).toBe('refused');
  });
});

describe('the subject of a signature', () => {
  it('refuses a signature of any other digest than that of the image', async () => {
    for (const says of [OTHER, `${IMAGE}0`, ` ${IMAGE}`, IMAGE.toUpperCase(), IMAGE.slice(7), '']) {
      const payload = simpleSigning(says);
      const decision = await decide([signedBy(alice.privateKey, IMAGE, payload)]);
      expect(decision).toMatchObject({ verdict: 'refused', problems: ['other-digest'] });
      expect(decision.reason).toContain('1 signature was found: it is for another digest');
    }
  });

  it('accepts a signature of an index that lists the image', async () => {
    const found = [signedBy(alice.privateKey, INDEX)];
    expect(await decide(found)).toMatchObject({ verdict: 'refused', problems: ['other-subject'] });
    const parts = { indexDigests: [INDEX] };
    expect(await decide(found, { keys: [ALICE] }, parts)).toMatchObject({ verdict: 'signed' });
  });

  it('refuses a signature of the index that is attached to the image itself', async () => {
    const payload = simpleSigning(INDEX);
    const found = [signedBy(alice.privateKey, IMAGE, payload)];
    const decision = await decide(found, { keys: [ALICE] }, { indexDigests: [INDEX] });
    expect(decision.problems).toEqual(['other-digest']);
  });

  it('accepts a referrer only where its subject is the image', async () => {
    const payload = simpleSigning(IMAGE);
    const layers = [signatureLayer(payload, signWith(alice.privateKey, payload))];
    expect(await decide([attachmentOf(IMAGE, layers, 'referrer')])).toMatchObject({
      verdict: 'signed',
    });
    const moved = { ...attachmentOf(OTHER, layers, 'referrer'), subject: IMAGE };
    expect((await decide([moved])).problems).toEqual(['other-subject']);
  });

  it.each([
    ['ignore', 'elsewhere.example/x', true],
    ['repository', 'registry.example:5000/team/app', true],
    ['repository', 'registry.example:5000/team/app:2', true],
    ['repository', 'registry.example:5000/team/application', false],
    ['repository', 'registry.example/team/app', false],
    ['repository', '', false],
    ['exact', 'registry.example:5000/team/app:1', true],
    ['exact', 'registry.example:5000/team/app', false],
    ['exact', 'registry.example:5000/team/app:2', false],
    ['exact', 'registry.example:5000/team/app:11', false],
  ] as const)(
    'compares the reference in a signature by "%s" with %s: %s',
    async (dockerReference, reference, fits) => {
      const payload = simpleSigning(IMAGE, { reference });
      const decision = await decide([signedBy(alice.privateKey, IMAGE, payload)], {
        keys: [ALICE],
        dockerReference,
      });
      expect(decision.verdict).toBe(fits ? 'signed' : 'refused');
      expect(decision.problems).toEqual(fits ? [] : ['other-reference']);
    },
  );

  it('accepts a signature of a Docker Hub image in any spelling of its name', async () => {
    const reference = 'index.docker.io/library/redis';
    const payload = simpleSigning(IMAGE, { reference });
    const decision = await decide(
      [signedBy(alice.privateKey, IMAGE, payload)],
      { keys: [ALICE], dockerReference: 'repository' },
      { repository: 'docker.io/library/redis' },
    );
    expect(decision.verdict).toBe('signed');
  });

  it('refuses the reference in a signature for an image without a name', async () => {
    const decision = await decide(
      [signedBy(alice.privateKey, IMAGE)],
      { keys: [ALICE], dockerReference: 'repository' },
      { repository: '', tag: undefined },
    );
    expect(decision.problems).toEqual(['other-reference']);
  });

  it.each([
    [{ env: 'prod' }, true],
    [{ env: 'prod', more: 1 }, true],
    [{ env: 'production' }, false],
    [{ env: ['prod'] }, false],
    [{ env: true }, false],
    [{}, false],
    [null, false],
  ])('compares the annotations of a signature exactly: %j', async (optional, fits) => {
    const payload = simpleSigning(IMAGE, { optional });
    const decision = await decide([signedBy(alice.privateKey, IMAGE, payload)], {
      keys: [ALICE],
      annotations: { env: 'prod' },
    });
    expect(decision.verdict).toBe(fits ? 'signed' : 'refused');
    expect(decision.problems).toEqual(fits ? [] : ['annotation-differs']);
  });

  it('ignores inherited members of an object as annotations', async () => {
    const decision = await decide([signedBy(alice.privateKey, IMAGE)], {
      keys: [ALICE],
      annotations: { constructor: 'x' },
    });
    expect(decision.reason).toContain('its annotation "constructor" is not there');
  });
});

describe('keys', () => {
  it.each([
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ])('accepts a signature by a key of type %s', async (_, make) => {
    const { publicKey, privateKey } = make();
    const found = [signedBy(privateKey, IMAGE)];
    const right = await decide(found, { keys: [ALICE, keyOf('it.pub', publicKey)] });
    expect(right.verdict).toBe('signed');
    const wrongType = await decide(found);
    expect(wrongType).toMatchObject({ verdict: 'refused', problems: ['no-key-matches'] });
  });

  it('refuses signatures by RSA-1024, RSA-PSS, secp256k1 and DSA keys', async () => {
    for (const { publicKey, privateKey } of [
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }),
    ]) {
      const found = [signedBy(privateKey, IMAGE)];
      const decision = await decide(found, { keys: [keyOf('weak.pub', publicKey)] });
      expect(decision.problems).toEqual(['no-key-matches']);
    }
  });
});

/** The same P-256 key with its point compressed. */
function compress(key: KeyObject): KeyObject {
  const der = key.export({ type: 'spki', format: 'der' });
  const point = ECDH.convertKey(
    der.subarray(-65),
    'prime256v1',
    undefined,
    undefined,
    'compressed',
  );
  const head = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex');
  const spki = Buffer.concat([head, Buffer.from(point)]);
  return createPublicKey({ key: spki, format: 'der', type: 'spki' });
}
