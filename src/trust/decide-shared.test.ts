import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { decideTrust } from './decide.ts';
import { SharedWork } from './shared-work.ts';
import {
  attachmentOf,
  attestedBy,
  PROVENANCE,
  signedBy,
  simpleSigning,
  statementOf,
} from './testing/artifacts.ts';
import { digestOf, keyOf, NOW, questionOf, requirementOf, requiring } from './testing/policies.ts';
import { legacyLayer, signIn } from './testing/signatures.ts';
import { pair, sigstoreWorld } from './testing/sigstore-world.ts';

const IMAGE = digestOf('an image');
const alice = pair();
const KEYS = [keyOf('alice.pub', alice.publicKey)];

describe('a decision', () => {
  it('yields to other work between any two keys, statements and conditions', async () => {
    let served = 0;
    let decided = false;
    const others = (async () => {
      while (!decided) {
        await setImmediate();
        served += 1;
      }
    })();
    const attestation = {
      predicateType: PROVENANCE,
      conditions: Array.from({ length: 16 }, () => ({ text: 'true', failure: () => undefined })),
    };
    const keys = Array.from({ length: 32 }, (_, n) => keyOf(`${n}.pub`, pair().publicKey));
    const policy = requiring(requirementOf({ keys: [...keys, ...KEYS], attestation }));
    const attested = attestedBy(alice.privateKey, IMAGE, statementOf(IMAGE));
    const decision = await decideTrust(questionOf(IMAGE, [attested]), policy, NOW);
    decided = true;
    await others;
    expect(decision.verdict).toBe('signed');
    expect(served).toBeGreaterThanOrEqual(keys.length + attestation.conditions.length);
  });
});

describe('decisions about one image', () => {
  it('reads the signatures of one image once for all its names', async () => {
    const work = new SharedWork();
    let reads = 0;
    const blobs = new Map(signedBy(alice.privateKey, IMAGE).blobs);
    const get = blobs.get.bind(blobs);
    blobs.get = (digest) => {
      reads += 1;
      return get(digest);
    };
    const attachments = [{ ...signedBy(alice.privateKey, IMAGE), blobs }];
    const policy = requiring(requirementOf({ keys: KEYS }));
    const question = questionOf(IMAGE, [], { attachments });
    for (const repository of ['registry.example/a', 'registry.example/b']) {
      await decideTrust({ ...question, repository }, policy, NOW, work);
    }
    expect(reads).toBe(1);
    // The same signatures do not cover another image.
    const other = { ...question, manifestDigest: digestOf('another image') };
    expect((await decideTrust(other, policy, NOW, work)).verdict).toBe('refused');
  });

  it('requests an unavailable trusted root once for all names of an image', async () => {
    let asked = 0;
    const trustMaterial = async () => {
      asked += 1;
      throw new Error('the mirror is silent');
    };
    const world = await sigstoreWorld();
    const parts = await signIn(world, simpleSigning(IMAGE), { key: alice.privateKey });
    const entry = requirementOf({ keys: KEYS, transparencyLog: 'required', trustMaterial });
    const work = new SharedWork();
    const question = questionOf(IMAGE, [attachmentOf(IMAGE, [legacyLayer(parts)])]);
    for (const repository of ['registry.example/a', 'registry.example/b']) {
      const policy = requiring(entry, { ...entry, threshold: 1 });
      const decision = await decideTrust({ ...question, repository }, policy, NOW, work);
      expect(decision.reason).toContain('the trusted root cannot be used: the mirror is silent');
    }
    expect(asked).toBe(1);
  });

  it('shares the evaluation time of conditions between the names of an image', async () => {
    const left: number[] = [];
    const failure = (_: unknown, time: SharedWork['conditionTime']) => {
      time.spend(10_000, (milliseconds) => left.push(milliseconds));
      return undefined;
    };
    const conditions = [
      { text: 'a', failure },
      { text: 'b', failure },
    ];
    const attestation = { predicateType: PROVENANCE, conditions };
    const policy = requiring(requirementOf({ keys: KEYS, attestation }));
    const attested = attestedBy(alice.privateKey, IMAGE, statementOf(IMAGE));
    const work = new SharedWork();
    await decideTrust(questionOf(IMAGE, [attested]), policy, NOW, work);
    await decideTrust(questionOf(IMAGE, [attested]), policy, NOW, work);
    expect(left).toHaveLength(4);
    expect(Math.max(...left)).toBeLessThanOrEqual(4000);
  });
});
