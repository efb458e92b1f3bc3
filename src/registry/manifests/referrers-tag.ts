/**
 * The tag that lists referrers in a registry without an API for them (distribution-spec 1.1,
 * "Pushing Manifests with Subject", and "Unavailable Referrers API").
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { digestText } from '../../oci/digest-text.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import type { RepositoryContext } from '../exchange/repository-context.ts';
import { sendManifest } from './manifests.ts';
import { parseJson } from './manifests-type.ts';
import { fallbackTag, type ReferrerDescriptor, readFallback } from './referrers.ts';

/** Registries cannot change a tag conditionally, so the tag is read again after the change. */
const ATTEMPTS = 4;

const Subject = z.looseObject({
  artifactType: z.string().max(255).optional(),
  config: z.looseObject({ mediaType: z.string().max(255).optional() }).optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
  subject: z
    .looseObject({
      digest: digestText,
    })
    .nullish(),
});

/**
 * A manifest with a subject, as its list of referrers shows it; undefined where it has no subject.
 *
 * @throws A3sError `invalid-argument` when these parts of the manifest are malformed
 */
export function describeReferrer(
  mediaType: string,
  bytes: Buffer,
): { readonly subject: Digest; readonly descriptor: ReferrerDescriptor } | undefined {
  const digest = digestOf(bytes);
  const parsed = narrow(Subject, readJson(bytes));
  if (!parsed.success) {
    const why = 'its subject, its type or its annotations are malformed';
    throw new A3sError('invalid-argument', `Cannot push manifest ${digest}: ${why}`);
  }
  const { subject, artifactType, config, annotations } = parsed.data;
  if (subject === null || subject === undefined) return undefined;
  const type = artifactType || config?.mediaType;
  const descriptor = {
    mediaType,
    digest,
    size: bytes.length,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(annotations === null || annotations === undefined ? {} : { annotations }),
  };
  return { subject: subject.digest, descriptor };
}

function readJson(bytes: Buffer): unknown {
  try {
    return parseJson(bytes);
  } catch (cause) {
    throw new A3sError('invalid-argument', 'Cannot push a manifest that is not JSON', { cause });
  }
}

/**
 * Adds a referrer to the list at the tag.
 *
 * @throws A3sError `conflict` when others replace the list again and again
 */
export async function addToFallback(
  context: RepositoryContext,
  subject: Digest,
  descriptor: ReferrerDescriptor,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const index = (await readFallback(context, subject)) ?? {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [],
    };
    const manifests = index.manifests ?? [];
    if (manifests.some(({ digest }) => digest === descriptor.digest)) return;
    const bytes = Buffer.from(JSON.stringify({ ...index, manifests: [...manifests, descriptor] }));
    await sendManifest(context, fallbackTag(subject), OCI_INDEX, bytes);
  }
  const list = `${context.name}:${fallbackTag(subject)}`;
  throw new A3sError('conflict', `Cannot add ${descriptor.digest} to ${list}: it keeps changing`, {
    remedy: 'Try again when nobody else pushes signatures of this image.',
  });
}
