/**
 * Manifests and indexes, of the OCI image specification and of Docker's schema 2.
 *
 * Unknown fields are allowed: both specifications ask for that.
 *
 * @module
 */
import * as z from 'zod';
import { digestText } from './digest-text.ts';
import { openObject, parseDocument } from './json/json.ts';
import { CONFIG_TYPES, INDEX_TYPES, MANIFEST_TYPES } from './media-types.ts';

/** Plain, gzip and zstd; the content decides which one it is. */
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar(?:\.gzip|\.zstd)?)$/;
/** Layers that a registry does not have; they come from another source. */
const FOREIGN_TYPE = /nondistributable|\.foreign\./;
const ENCRYPTED_TYPE = /\+encrypted$/;

const Platform = openObject({
  architecture: z.string().max(64),
  os: z.string().max(64),
  variant: z.string().max(64).optional(),
});

const Descriptor = openObject({
  mediaType: z.string().max(255),
  digest: digestText,
  size: z.int().min(0),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: Platform.nullish(),
  urls: z.array(z.string()).nullish(),
});
export type Descriptor = z.infer<typeof Descriptor>;

const Layer = Descriptor.superRefine(({ mediaType, urls }, context) => {
  const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
  if (FOREIGN_TYPE.test(mediaType)) {
    refuse(
      'is a foreign layer, which its registry may not give out; such images are not supported',
    );
  } else if (ENCRYPTED_TYPE.test(mediaType)) {
    refuse('is an encrypted layer; such images are not supported');
  } else if (!LAYER_TYPE.test(mediaType)) {
    refuse(`${quoted(mediaType)} is no layer of an image: plain, gzip and zstd tars are supported`);
  } else if (urls != null && urls.length > 0) {
    refuse('is to be fetched from a URL, and layers come from the registry only');
  }
});

function quoted(mediaType: string): string {
  return JSON.stringify(mediaType.slice(0, 120));
}

/**
 * Without a type, some readers would take a document with both members for a manifest, and some for
 * an index.
 */
function isOneThing(other: 'layers' | 'manifests') {
  return (value: object, context: z.RefinementCtx): void => {
    if (!(other in value)) return;
    context.addIssue({ code: 'custom', message: 'has both layers and manifests' });
  };
}

const Manifest = openObject({
  schemaVersion: z.literal(2),
  mediaType: z.enum(MANIFEST_TYPES).optional(),
  config: Descriptor.superRefine(({ mediaType }, context) => {
    if (CONFIG_TYPES.includes(mediaType)) return;
    const message = `${quoted(mediaType)} is no configuration of an image`;
    context.addIssue({ code: 'custom', message });
  }),
  // Docker's engine writes null where an image has none.
  layers: z
    .array(Layer)
    .nullable()
    .transform((layers) => layers ?? []),
}).superRefine(isOneThing('manifests'));
export type Manifest = z.infer<typeof Manifest>;

const Index = openObject({
  schemaVersion: z.literal(2),
  mediaType: z.enum(INDEX_TYPES).optional(),
  manifests: z.array(Descriptor).max(10_000),
}).superRefine(isOneThing('layers'));
export type Index = z.infer<typeof Index>;

/** @param limits `layers`: how many the manifest may have */
export function parseManifest(
  bytes: Buffer,
  what: string,
  limits: { readonly layers: number },
): Manifest {
  const bounded = Manifest.refine(({ layers }) => layers.length <= limits.layers, {
    error: `has more than ${limits.layers} layers`,
  });
  return parseDocument(bytes, bounded, what);
}

export function parseIndex(bytes: Buffer, what: string): Index {
  return parseDocument(bytes, Index, what);
}

export function isManifest({ mediaType }: Descriptor): boolean {
  return MANIFEST_TYPES.includes(mediaType);
}

export function isIndex({ mediaType }: Descriptor): boolean {
  return INDEX_TYPES.includes(mediaType);
}
