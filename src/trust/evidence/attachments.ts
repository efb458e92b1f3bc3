/**
 * Reads the signatures and attestations of an image, bounded and unverified.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import * as z from 'zod';
import type { Attachment } from '../../images/attachments/attachment.ts';
import { digestOf, isDigest } from '../../oci/digest.ts';
import { openObject } from '../../oci/json/json.ts';
import { jsonSize } from '../../oci/json/json-values.ts';
import { DSSE_ENVELOPE, SIMPLE_SIGNING } from '../../oci/media-types.ts';
import type { Evidence, Place } from '../artifact/evidence.ts';
import { readJson } from '../artifact/evidence-json.ts';
import { Problem } from '../artifact/problem.ts';
import { checkPayloadSize } from '../artifact/simple-signing.ts';
import type { Finding } from '../decision.ts';
import type { TrustQuestion } from '../question.ts';
import { bundleFormat, readBundle } from './bundle.ts';
import { readCosignAttestation, readCosignSignature } from './cosign.ts';

const MAX_ATTACHMENTS = 64;
const MAX_SIGNATURES = 128;
const MAX_MANIFEST = 4 * 1024 * 1024;
/** Of everything that is hashed: one blob may stand in a manifest many times. */
const MAX_TOTAL = 64 * 1024 * 1024;
/**
 * Bound on the values of all statements: they are in memory at once, where each value takes many
 * times the size of its text.
 */
const MAX_VALUES = 1_000_000;

const Manifest = openObject({
  layers: z
    .array(
      openObject({
        mediaType: z.string(),
        digest: z.string().refine(isDigest, 'expected a SHA-256 digest'),
        annotations: z.record(z.string(), z.string()).nullish(),
      }),
    )
    .max(4096),
  subject: openObject({ digest: z.string() }).nullish(),
});
type Layer = z.infer<typeof Manifest>['layers'][number];

/** A signature that could be read, or the finding that it could not. */
export type Found =
  | { readonly evidence: Evidence }
  | { readonly unreadable: Finding; readonly kind: 'signature' | 'attestation' | 'any' };

/** The remainder of the bounds, while artifacts are read one after the other. */
interface Left {
  signatures: number;
  bytes: number;
  values: number;
  saidSo: boolean;
}

/** Sorted, so that the result does not depend on the registry's order. */
export async function readAttachments(question: TrustQuestion): Promise<readonly Found[]> {
  const sorted = inOrder(question);
  const left: Left = {
    signatures: MAX_SIGNATURES,
    bytes: MAX_TOTAL,
    values: MAX_VALUES,
    saidSo: false,
  };
  const found: Found[] = [];
  for (const attachment of sorted.slice(0, MAX_ATTACHMENTS)) {
    found.push(...(await readAttachment(attachment, question, left)));
  }
  const first = sorted[MAX_ATTACHMENTS];
  if (first === undefined) return found;
  const more = sorted.length - MAX_ATTACHMENTS;
  return [
    ...found,
    unreadable(
      placeOf(first),
      new Problem(
        'too-many-attachments',
        `${more} of ${sorted.length} artifacts were not looked at: ${MAX_ATTACHMENTS} are the most`,
      ),
    ),
  ];
}

async function readAttachment(
  attachment: Attachment,
  question: TrustQuestion,
  left: Left,
): Promise<readonly Found[]> {
  // Hashing and reading block the one thread that serves all clients.
  await setImmediate();
  try {
    const layers = layersOf(attachment, question);
    const looked = layers.slice(0, left.signatures);
    left.signatures -= looked.length;
    const found: Found[] = [];
    for (const layer of looked) {
      await setImmediate();
      found.push(readLayer(layer, attachment, left));
    }
    // One finding covers all artifacts beyond the bound.
    if (looked.length === layers.length || left.saidSo) return found;
    left.saidSo = true;
    const most = `signatures after the first ${MAX_SIGNATURES} were not looked at`;
    return [...found, unreadable(placeOf(attachment), new Problem('too-many-signatures', most))];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [unreadable(placeOf(attachment), error)];
  }
}

function readLayer(layer: Layer, attachment: Attachment, left: Left): Found {
  const place = placeOf(attachment);
  try {
    const bytes = blobOf(layer, attachment, left);
    const evidence = readEvidence(layer, bytes, attachment, place);
    countStatement(evidence, left);
    return { evidence };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return unreadable(place, error, layer.mediaType);
  }
}

function readEvidence(
  { mediaType, annotations }: Layer,
  bytes: Buffer,
  attachment: Attachment,
  place: Place,
): Evidence {
  if (mediaType === SIMPLE_SIGNING) return readCosignSignature(bytes, annotations ?? {}, place);
  if (mediaType === DSSE_ENVELOPE) return readCosignAttestation(bytes, annotations ?? {}, place);
  return readBundle(bytes, attachment.blobs, place);
}

/** The layers that are signatures. An artifact without any, such as an SBOM, is skipped. */
function layersOf(attachment: Attachment, question: TrustQuestion): readonly Layer[] {
  const { subject, digest, manifest } = attachment;
  if (subject !== question.manifestDigest && !question.indexDigests.includes(subject)) {
    throw new Problem('other-subject', 'it is attached to another image');
  }
  if (manifest.length > MAX_MANIFEST) {
    throw new Problem('too-large', `its manifest is larger than ${MAX_MANIFEST} bytes`);
  }
  if (digestOf(manifest) !== digest) {
    throw new Problem('altered', 'its manifest is not what its digest says');
  }
  const document = readJson(manifest, Manifest, 'its manifest');
  if (attachment.attachedBy === 'referrer' && document.subject?.digest !== subject) {
    throw new Problem('other-subject', 'it says that it is attached to another image');
  }
  const layers = document.layers.filter(({ mediaType }) => isKnown(mediaType));
  const hasBundle = layers.some(({ mediaType }) => bundleFormat(mediaType) !== undefined);
  // Beside a bundle, a payload without a signature of its own is what the bundle is over.
  return hasBundle ? layers.filter(({ mediaType }) => mediaType !== SIMPLE_SIGNING) : layers;
}

/** Bounded before it is hashed. */
function blobOf({ digest, mediaType }: Layer, { blobs }: Attachment, left: Left): Buffer {
  const bytes = isDigest(digest) ? blobs.get(digest) : undefined;
  if (bytes === undefined) throw new Problem('malformed', 'its content is missing');
  if (mediaType === SIMPLE_SIGNING) checkPayloadSize(bytes);
  left.bytes -= bytes.length;
  if (left.bytes < 0) {
    throw new Problem('too-large', `it and those before it have more than ${MAX_TOTAL} bytes`);
  }
  if (digestOf(bytes) !== digest) {
    throw new Problem('altered', 'its content is not what its digest says');
  }
  return bytes;
}

/** @throws Problem `too-large` */
function countStatement({ claim, payload }: Evidence, left: Left): void {
  if (claim.kind !== 'statement') return;
  left.values -= jsonSize(payload.toString('latin1')).values;
  if (left.values >= 0) return;
  throw new Problem('too-large', `it and those before it have more than ${MAX_VALUES} values`);
}

function isKnown(mediaType: string): boolean {
  return (
    mediaType === SIMPLE_SIGNING ||
    mediaType === DSSE_ENVELOPE ||
    bundleFormat(mediaType) !== undefined
  );
}

function inOrder({ attachments, manifestDigest }: TrustQuestion): Attachment[] {
  const key = ({ subject, digest, attachedBy }: Attachment): string =>
    `${subject === manifestDigest ? 0 : 1} ${subject} ${digest} ${attachedBy}`;
  const keyed = attachments.map((attachment) => ({ attachment, key: key(attachment) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  // An artifact that is found by tag and by its subject counts once.
  const unique = keyed.filter(
    ({ attachment }, i) =>
      keyed[i - 1]?.attachment.digest !== attachment.digest ||
      keyed[i - 1]?.attachment.subject !== attachment.subject,
  );
  return unique.map(({ attachment }) => attachment);
}

function placeOf({ digest, subject }: Attachment): Place {
  return { artifact: digest, subject };
}

function unreadable(place: Place, { code, message }: Problem, mediaType = ''): Found {
  const format = isKnown(mediaType) ? (bundleFormat(mediaType) ?? 'cosign') : 'unknown';
  return {
    unreadable: { ...place, format, accepted: false, problem: { code, message } },
    kind:
      mediaType === SIMPLE_SIGNING
        ? 'signature'
        : mediaType === DSSE_ENVELOPE
          ? 'attestation'
          : 'any',
  };
}
