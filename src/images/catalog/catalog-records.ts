/**
 * What the rows of the catalog hold.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestText } from '../../oci/digest-text.ts';
import type { Origin } from '../image.ts';

const strings = z.array(z.string());

/** What is known of an image without reading its blobs. */
export const ImageRecord = z.strictObject({
  /** Digest of the configuration. */
  id: digestText,
  manifest: z.strictObject({ digest: digestText, size: z.int(), mediaType: z.string() }),
  architecture: z.string(),
  os: z.string(),
  created: z.string(),
  author: z.string(),
  size: z.int(),
  /** Lowest first. */
  layers: z.array(
    z.strictObject({ diffId: digestText, blob: digestText, size: z.int(), implicit: z.boolean() }),
  ),
  config: z.strictObject({
    entrypoint: strings,
    cmd: strings,
    env: strings,
    workingDir: z.string(),
    user: z.string(),
    labels: z.record(z.string(), z.string()),
    stopSignal: z.string().optional(),
    exposedPorts: strings,
    volumes: strings,
    healthcheck: z
      .strictObject({
        test: strings,
        interval: z.int(),
        timeout: z.int(),
        startPeriod: z.int(),
        startInterval: z.int(),
        retries: z.int(),
      })
      .optional(),
    shell: strings.optional(),
    onBuild: strings.optional(),
  }),
});
export type ImageRecord = z.infer<typeof ImageRecord>;

/** An artifact that is attached to a manifest or an index; its bytes are blobs. */
export const AttachmentRecord = z.strictObject({
  subject: digestText,
  digest: digestText,
  attachedBy: z.enum(['tag', 'referrer']),
  mediaType: z.string(),
  size: z.int(),
  blobs: z.array(z.strictObject({ digest: digestText, size: z.int() })),
});
export type AttachmentRecord = z.infer<typeof AttachmentRecord>;

export const RepoDigest = z.strictObject({ repository: z.string(), digest: digestText });
/** A digest that an image was pulled by, in a canonical repository. */
export type RepoDigest = z.infer<typeof RepoDigest>;

export const OriginRow = z.strictObject({
  kind: z.enum(['pull', 'load', 'import', 'commit', 'build']),
  reference: z.string(),
  at: z.string(),
  parent: z.string(),
  bases: z.string(),
});

/** In the column `bases`. */
export const BaseImageRecords = z.array(
  z.strictObject({
    name: z.string(),
    manifest: z.string(),
    verdict: z.string(),
    reason: z.string(),
    policy: z.string(),
  }),
);

export const LayerRow = z.strictObject({ implicit: z.int() });

/** An image as it becomes visible. */
export interface NewImage {
  readonly record: ImageRecord;
  /** Canonical, with a tag. */
  readonly names: readonly string[];
  readonly origin: Origin;
  readonly repoDigest?: RepoDigest | undefined;
  /** Digests of indexes that list the manifest. */
  readonly indexes?: readonly Digest[] | undefined;
}

/** The attachments that replace those of some digests. */
export interface NewAttachments {
  readonly subjects: readonly Digest[];
  readonly records: readonly AttachmentRecord[];
}

/** @throws A3sError `state-unusable`; nothing is dropped */
export function readRow<T>(schema: z.ZodType<T>, row: unknown): T {
  try {
    return schema.parse(typeof row === 'string' ? JSON.parse(row) : row);
  } catch (cause) {
    throw new A3sError('state-unusable', 'Cannot read the record of an image in state.db', {
      remedy: 'Restore the database from a copy, or choose another A3S_HOME.',
      cause,
    });
  }
}
