import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../oci/digest.ts';
import { attachmentTag, type PayloadLayer, withLayers } from './attachment-artifact.ts';

const SUBJECT: Digest = `sha256:${'1'.repeat(64)}`;
const layer = (text: string, signature = text): PayloadLayer => ({
  mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
  annotations: { 'dev.cosignproject.cosign/signature': signature },
  data: Buffer.from(text),
});

function read(manifest: Buffer) {
  return JSON.parse(manifest.toString()) as {
    layers: { digest: string; annotations: Record<string, string> }[];
    config: { digest: string; size: number };
    annotations?: Record<string, string>;
  };
}

describe('an artifact of signatures', () => {
  it('names the tag where cosign looks for attachments', () => {
    expect(attachmentTag(SUBJECT, 'signature')).toBe(`sha256-${'1'.repeat(64)}.sig`);
    expect(attachmentTag(SUBJECT, 'attestation')).toBe(`sha256-${'1'.repeat(64)}.att`);
  });

  it('writes an artifact with a layer for each signature, and a configuration that lists them', () => {
    const { manifest, digest, config } = withLayers(undefined, [layer('a')], 'it');
    expect(digest).toBe(digestOf(manifest));
    const { layers, config: described } = read(manifest);
    expect(layers).toMatchObject([
      {
        digest: digestOf(Buffer.from('a')),
        annotations: { 'dev.cosignproject.cosign/signature': 'a' },
      },
    ]);
    expect(described).toMatchObject({ digest: config.digest, size: config.bytes.length });
    expect(JSON.parse(config.bytes.toString())).toMatchObject({
      rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from('a'))] },
    });
  });

  it('keeps the existing layers of an artifact, with the fields that others wrote', () => {
    const first = read(withLayers(undefined, [layer('a')], 'it').manifest);
    const existing = Buffer.from(
      JSON.stringify({
        ...first,
        layers: first.layers.map((each) => ({ ...each, urls: [] })),
        annotations: { a: 'b' },
      }),
    );
    const after = read(withLayers(existing, [layer('b')], 'it').manifest);
    expect(after.layers.map(({ digest }) => digest)).toEqual(
      ['a', 'b'].map((text) => digestOf(Buffer.from(text))),
    );
    expect(after.layers[0]).toHaveProperty('urls');
    expect(after.annotations).toEqual({ a: 'b' });
  });

  it('adds the same signature once, and another signature of the same payload too', () => {
    const first = withLayers(undefined, [layer('a')], 'it');
    expect(withLayers(first.manifest, [layer('a')], 'it').digest).toBe(first.digest);
    const both = withLayers(first.manifest, [layer('a', 'other')], 'it');
    expect(read(both.manifest).layers).toHaveLength(2);
  });

  it.each([
    ['no JSON', 'x'],
    ['an index', '{"schemaVersion":2,"manifests":[]}'],
    [
      'a path for a digest',
      '{"schemaVersion":2,"layers":[{"mediaType":"m","digest":"../x","size":1}]}',
    ],
  ])('refuses to add signatures to %s', (_, text) => {
    expect(() => withLayers(Buffer.from(text), [layer('a')], 'the tag')).toThrow(
      expect.objectContaining({
        code: 'invalid-image',
        message: expect.stringContaining('the tag'),
      }),
    );
  });
});
