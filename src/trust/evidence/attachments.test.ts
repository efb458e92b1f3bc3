import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attachment } from '../../images/attachments/attachment.ts';
import { decideTrust } from '../decide.ts';
import type { Requirement } from '../policy.ts';
import {
  attachmentOf,
  attestedBy,
  BUNDLE,
  DSSE,
  type LayerParts,
  SIMPLE_SIGNING,
  signatureLayer,
  signedBy,
  signWith,
  simpleSigning,
  statementOf,
} from '../testing/artifacts.ts';
import { digestOf, keyOf, NOW, questionOf, requirementOf, requiring } from '../testing/policies.ts';
import { pair } from '../testing/sigstore-world.ts';

const IMAGE = digestOf('an image');
const OTHER = digestOf('another image');
const [alice, eve] = [pair(), pair()];
const KEYS = [keyOf('alice.pub', alice.publicKey)];
const SIGNATURE = 'dev.cosignproject.cosign/signature';

async function decide(attachments: readonly Attachment[], parts: Partial<Requirement> = {}) {
  const requirement = requirementOf({ keys: KEYS, ...parts });
  const decision = await decideTrust(questionOf(IMAGE, attachments), requiring(requirement), NOW);
  const problems = decision.requirements.flatMap(({ findings }) =>
    findings.flatMap(({ problem }) => (problem === undefined ? [] : [problem.code])),
  );
  return { verdict: decision.verdict, reason: decision.reason, problems };
}

/** The decision on any payload with a valid signature over it. */
async function decideOn(text: string | Buffer) {
  const payload = Buffer.from(text);
  return await decide([signedBy(alice.privateKey, IMAGE, payload)]);
}

async function decideOnLayer(layer: LayerParts) {
  return await decide([attachmentOf(IMAGE, [layer])]);
}

describe('a payload', () => {
  const good = simpleSigning(IMAGE).toString();
  const digest = `"docker-manifest-digest":"${IMAGE}"`;

  it('accepts the payload of a signature', async () => {
    expect(await decideOn(good)).toMatchObject({ verdict: 'signed' });
  });

  it.each([
    ['of another type', 'wrong-type', good.replace('cosign container', 'atomic container')],
    [
      'with another digest before the right one',
      'malformed',
      good.replace(digest, `"docker-manifest-digest":"${OTHER}",${digest}`),
    ],
    [
      'with another digest after the right one',
      'malformed',
      good.replace(digest, `${digest},"docker-manifest-digest":"${OTHER}"`),
    ],
    [
      'with a second digest in another spelling',
      'malformed',
      good.replace(digest, `${digest},"docker\\u002dmanifest-digest":"${OTHER}"`),
    ],
    ['with two critical parts', 'malformed', good.replace('{', '{"critical":{},')],
    [
      'with more in its critical part',
      'malformed',
      good.replace('"type"', '"not-before":1,"type"'),
    ],
    ['with no type', 'malformed', good.replace('"type"', '"typ"')],
    ['with something after it', 'malformed', `${good}{}`],
    ['that is no object', 'malformed', '[]'],
    ['that is empty', 'malformed', ''],
    ['that is no UTF-8', 'malformed', Buffer.from([0x7b, 0xff, 0x7d])],
    ['with a digest that is no text', 'malformed', good.replace(`"${IMAGE}"`, '1')],
    ['that is nested too deeply', 'malformed', '['.repeat(60_000)],
    ['of more than 64 KiB', 'too-large', `${good}${' '.repeat(65_536)}`],
  ])('refuses a payload %s as %s', async (_, code, text) => {
    expect(await decideOn(text)).toMatchObject({ verdict: 'refused', problems: [code] });
  });
});

describe('a signature', () => {
  const payload = simpleSigning(IMAGE);
  const signature = signWith(alice.privateKey, payload);
  const base64 = signature.toString('base64');

  it.each([
    ['missing', 'malformed', {}],
    ['empty', 'malformed', { [SIGNATURE]: '' }],
    ['with too much padding', 'malformed', { [SIGNATURE]: `${base64}====` }],
    ['in base64 with line ends', 'malformed', { [SIGNATURE]: `${base64}\n` }],
    ['of nothing', 'no-key-matches', { [SIGNATURE]: 'AAAA' }],
    ['with more behind it', 'no-key-matches', { [SIGNATURE]: more(signature) }],
    ['of megabytes', 'too-large', { [SIGNATURE]: 'A'.repeat(4_000_000) }],
  ])('refuses a signature that is %s as %s', async (_, code, annotations) => {
    const layer = { mediaType: SIMPLE_SIGNING, content: payload, annotations };
    expect(await decideOnLayer(layer)).toMatchObject({ verdict: 'refused', problems: [code] });
  });

  it('reports a signature by an unknown key in one sentence', async () => {
    const { reason } = await decide([signedBy(eve.privateKey, IMAGE)]);
    expect(reason).toBe(
      'rule 1 ("registry.example:5000/team/**"): no signature by alice.pub; 1 signature was found: it is not by "alice.pub"',
    );
  });

  it('refuses a signature by a key with a malformed certificate beside it', async () => {
    const layer = signatureLayer(payload, signature, {
      'dev.sigstore.cosign/certificate': 'not even a certificate',
    });
    expect((await decideOnLayer(layer)).problems).toEqual(['certificate-malformed']);
  });

  it('refuses a signature with any byte of it or of its payload changed', async () => {
    for (const [index] of [...signature.entries()]) {
      const layer = signatureLayer(payload, flipped(signature, index));
      expect((await decideOnLayer(layer)).verdict, `signature, byte ${index}`).toBe('refused');
    }
    for (const [index] of [...payload.entries()]) {
      const layer = signatureLayer(flipped(payload, index), signature);
      expect((await decideOnLayer(layer)).verdict, `payload, byte ${index}`).toBe('refused');
    }
  });
});

describe('an envelope', () => {
  const attestation = { predicateType: 'https://slsa.dev/provenance/v1', conditions: [] };
  const good = attestedBy(alice.privateKey, IMAGE, statementOf(IMAGE));
  const [text = ''] = [...good.blobs.values()].map(String);
  const { payload, signatures } = JSON.parse(text);

  it('accepts an attestation in an envelope', async () => {
    expect(await decide([good], { attestation })).toMatchObject({ verdict: 'signed' });
  });

  it.each([
    ['of another type', 'wrong-type', text.replace('in-toto+json', 'in-toto+xml')],
    ['with two payloads', 'malformed', text.replace('{', '{"payload":"",')],
    ['without signatures', 'malformed', JSON.stringify({ ...JSON.parse(text), signatures: [] })],
    [
      'with two signatures',
      'malformed',
      JSON.stringify({ ...JSON.parse(text), signatures: [...signatures, ...signatures] }),
    ],
    ['with loose base64', 'malformed', text.replace(payload, `${payload}=`)],
    ['that is no JSON', 'malformed', 'x'],
  ])('refuses an envelope %s as %s', async (_, code, content) => {
    const layer = { mediaType: DSSE, content: Buffer.from(content) };
    const decision = await decide([attachmentOf(IMAGE, [layer])], { attestation });
    expect(decision).toMatchObject({ verdict: 'refused', problems: [code] });
  });

  it('refuses an envelope with any byte changed', async () => {
    const statement = statementOf(IMAGE);
    for (const [index] of [...statement.entries()]) {
      const changed = flipped(statement, index).toString('base64');
      const layer = { mediaType: DSSE, content: Buffer.from(text.replace(payload, changed)) };
      const { verdict } = await decide([attachmentOf(IMAGE, [layer])], { attestation });
      expect(verdict, `byte ${index}`).toBe('refused');
    }
  });
});

describe('an artifact', () => {
  const good = signedBy(alice.privateKey, IMAGE);

  it.each([
    ['whose manifest is another', 'altered', { manifest: Buffer.from('{"layers":[]}') }],
    ['whose content is missing', 'malformed', { blobs: new Map() }],
    [
      'whose content is another',
      'altered',
      { blobs: new Map([...good.blobs.keys()].map((digest) => [digest, Buffer.from('{}')])) },
    ],
    ['of another image', 'other-subject', { subject: OTHER }],
  ])('refuses an artifact %s as %s', async (_, code, parts) => {
    const decision = await decide([{ ...good, ...parts }]);
    expect(decision).toMatchObject({ verdict: 'refused', problems: [code] });
  });

  it.each([
    '',
    '[]',
    '{"layers":1}',
    '{"layers":[],"layers":[]}',
    `{"layers":[{"mediaType":"${SIMPLE_SIGNING}","digest":"sha256:../../x"}]}`,
  ])('refuses an artifact with the manifest %j', async (text) => {
    const manifest = Buffer.from(text);
    const decision = await decide([{ ...good, manifest, digest: digestOf(manifest) }]);
    expect(decision).toMatchObject({ verdict: 'refused', problems: ['malformed'] });
  });

  it('ignores an artifact of another kind than signatures', async () => {
    const sbom = { mediaType: 'application/spdx+json', content: Buffer.from('{}') };
    expect(await decide([attachmentOf(IMAGE, [sbom], 'referrer')])).toMatchObject({
      verdict: 'refused',
      problems: [],
    });
  });
});

describe('limits on attachments', () => {
  it('examines at most 64 artifacts, and reports that there were more', async () => {
    const many = Array.from({ length: 70 }, (_, n) =>
      signedBy(eve.privateKey, IMAGE, simpleSigning(IMAGE, { optional: { n } })),
    );
    const { problems } = await decide(many);
    expect(problems).toHaveLength(65);
    expect(problems.at(-1)).toBe('too-many-attachments');
  });

  it('examines at most 128 signatures, and reports that there were more', async () => {
    const layers = Array.from({ length: 100 }, (_, n) => {
      const payload = simpleSigning(IMAGE, { optional: { n } });
      return signatureLayer(payload, signWith(eve.privateKey, payload));
    });
    const { problems, reason } = await decide([
      attachmentOf(IMAGE, layers.slice(0, 90)),
      attachmentOf(IMAGE, layers.slice(10)),
      attachmentOf(IMAGE, layers.slice(50)),
    ]);
    expect(problems.filter((code) => code === 'no-key-matches')).toHaveLength(128);
    expect(problems.filter((code) => code === 'too-many-signatures')).toHaveLength(1);
    expect(reason).toContain('signatures after the first 128 were not looked at');
  });

  it('refuses two hundred signatures of 10 MB each without reading all of them', async () => {
    const content = Buffer.alloc(10_000_000, ' ');
    const layer = { mediaType: SIMPLE_SIGNING, content, annotations: { [SIGNATURE]: 'AAAA' } };
    const { verdict, problems } = await decide([
      attachmentOf(
        IMAGE,
        Array.from({ length: 200 }, () => layer),
      ),
    ]);
    expect(verdict).toBe('refused');
    expect(new Set(problems)).toEqual(new Set(['too-large', 'too-many-signatures']));
  });

  it('accepts statements of several megabytes, but not with an excessive number of values', async () => {
    const attestation = { predicateType: 'https://spdx.dev/Document', conditions: [] };
    const decideAbout = async (predicate: unknown) => {
      const statement = statementOf(IMAGE, { predicateType: attestation.predicateType, predicate });
      return await decide([attestedBy(alice.privateKey, IMAGE, statement)], { attestation });
    };
    expect(await decideAbout('x'.repeat(10 * 1024 * 1024))).toMatchObject({ verdict: 'signed' });
    const many = await decideAbout(Array.from({ length: 500_000 }, () => 0));
    expect(many).toMatchObject({ verdict: 'refused', problems: ['malformed'] });
    expect(many.reason).toContain('it has more than 500000 values');
    const digests = Object.fromEntries(Array.from({ length: 300_000 }, (_, i) => [`d${i}`, 0]));
    const statement = {
      ...JSON.parse(statementOf(IMAGE).toString()),
      subject: [{ digest: digests }],
    };
    const bad = Buffer.from(JSON.stringify(statement));
    const faulty = await decide([attestedBy(alice.privateKey, IMAGE, bad)], { attestation });
    expect(faulty.reason).toContain('subject.0.digest: has too many digests');
  });

  it('refuses a statement of more than 16 MiB', async () => {
    const content = Buffer.alloc(17 * 1024 * 1024, ' ');
    for (const mediaType of [DSSE, BUNDLE]) {
      const attestation = { predicateType: 'x', conditions: [] };
      const decision = await decide([attachmentOf(IMAGE, [{ mediaType, content }])], {
        attestation,
      });
      expect(decision.verdict).toBe('refused');
    }
  });
});

describe('any bytes', () => {
  const layer = fc.record({
    mediaType: fc.constantFrom(SIMPLE_SIGNING, DSSE, BUNDLE),
    content: fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      mutated(simpleSigning(IMAGE)),
    ),
    annotations: fc.dictionary(
      fc.constantFrom(
        SIGNATURE,
        'dev.sigstore.cosign/certificate',
        'dev.sigstore.cosign/bundle',
        'dev.sigstore.cosign/rfc3161timestamp',
      ),
      fc.oneof(fc.string(), fc.base64String(), fc.json()),
    ),
  });

  it(
    'refuses any bytes as an attachment without throwing',
    async () => {
      await fuzz(
        fc.asyncProperty(fc.array(layer, { maxLength: 4 }), fc.boolean(), async (layers, asked) => {
          const attestation = asked ? { predicateType: 'x', conditions: [] } : undefined;
          const { verdict } = await decide([attachmentOf(IMAGE, layers)], { attestation });
          expect(verdict).toBe('refused');
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it(
    'refuses any bytes in place of a manifest without throwing',
    async () => {
      const good = signedBy(alice.privateKey, IMAGE);
      await fuzz(
        fc.asyncProperty(mutated(good.manifest), async (manifest) => {
          const { verdict } = await decide([{ ...good, manifest }]);
          expect(verdict).toBe('refused');
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

function mutated(bytes: Buffer): fc.Arbitrary<Buffer> {
  return fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })).map(([index, by]) => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(index) ^ by, index);
    return copy;
  });
}

function flipped(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
  return copy;
}

function more(signature: Buffer): string {
  return Buffer.concat([signature, Buffer.from([0])]).toString('base64');
}
