/**
 * `/a3s/v1/images/{name}/attachments`: lists the attachments of an image, and adds to them.
 *
 * @module
 */

import * as z from 'zod';
import { linkedSignal } from '../../async/linked-signal.ts';
import { storedAttachments } from '../../boxes/policy/stored-attachments.ts';
import { namesUsed } from '../../boxes/policy/trust-names.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import { pushAttachment, storeAttachment } from '../../distribution/attach.ts';
import { LAYER_TYPES } from '../../distribution/attachment-artifact.ts';
import { freshAttachments } from '../../distribution/refresh.ts';
import { Attached, AttachmentBody, AttachmentShown } from '../../docker-api/a3s/attachment.ts';
import { A3sError } from '../../errors.ts';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Image } from '../../images/image.ts';
import type { Digest } from '../../oci/digest.ts';
import { canonicalRepository, parseReference } from '../../oci/reference.ts';
import type { Credentials, Repository } from '../../registry/registry.ts';
import { registryAuth } from '../docker/images/registry-auth.ts';
import { flag, noBody, query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { type Route, route } from '../http/route.ts';

const access = 'owner';

/** The size of the longest layer in base64, with the JSON around it. */
const MAX_BODY = 24 * 1024 * 1024;

/** Each kind has layers of one media type. */
const Addition = AttachmentBody.refine(
  ({ kind, layers }) => layers.every(({ mediaType }) => mediaType === LAYER_TYPES[kind]),
  {
    error: `layers are ${Object.entries(LAYER_TYPES)
      .map(([kind, type]) => `${type} for a ${kind}`)
      .join(', and ')}`,
  },
);

type AttachmentHost = Pick<Runtime, 'images' | 'registry' | 'shutdown'>;

export const ATTACHMENT_ROUTES: readonly Route<AttachmentHost>[] = [
  route('GET', '/a3s/v1/images/:name{.+}/attachments', {
    access,
    query: query({
      content: flag,
      digest: z.string().max(128).optional(),
      /** The one blob whose content is requested. */
      blob: z.string().max(128).optional(),
    }),
    body: noBody,
    summary: 'List the signatures, attestations and bundles of an image',
    answers: { 200: z.array(AttachmentShown) },
    handler: async ({ params, query }, rt) => {
      const image = await rt.images.resolve(params['name'] ?? '');
      const attachments = await storedAttachments(rt.images, image);
      const { content, digest, blob } = query;
      const wanted = attachments.filter((each) => digest === undefined || each.digest === digest);
      const shows = (each: Digest): boolean => content && (blob === undefined || blob === each);
      return json(wanted.map((attachment) => shown(attachment, shows)));
    },
  }),
  route('POST', '/a3s/v1/images/:name{.+}/attachments', {
    access,
    summary: 'Attach a signature or an attestation to an image, here and in its registry',
    query: query({ upload: flag.default(true) }),
    body: Addition,
    limit: MAX_BODY,
    answers: { 201: Attached },
    handler: async ({ params, query, headers, body: added }, rt) => {
      const credentials = registryAuth(headers);
      const name = params['name'] ?? '';
      const image = await findStored(rt, name, query.upload);
      const subject = added.subject ?? image?.manifestDigest ?? parseReference(name).digest;
      checkSubject(subject, image, name);
      const layers = added.layers.map(({ data, ...layer }) => ({
        ...layer,
        data: Buffer.from(data, 'base64'),
      }));
      const addition = { ...added, layers, subject };
      const digest =
        image !== undefined && !query.upload
          ? await storeAttachment(rt.images, addition)
          : await upload(rt, { name, image, credentials }, addition);
      return json({ digest, subject }, 201);
    },
  }),
];

/**
 * Undefined for an image that only the registry has. It must be named by digest, and only the
 * registry changes.
 */
async function findStored(
  rt: Pick<Runtime, 'images'>,
  name: string,
  upload: boolean,
): Promise<Image | undefined> {
  try {
    return await rt.images.resolve(name);
  } catch (error) {
    const missing = error instanceof A3sError && error.code === 'no-such-image';
    if (missing && upload && parseReference(name).digest !== undefined) return undefined;
    throw error;
  }
}

interface Place {
  readonly name: string;
  /** The image in the store. */
  readonly image: Image | undefined;
  readonly credentials: Credentials | undefined;
}

/**
 * Uploads to the repository of the name that was used. Afterwards the store has what the registry
 * has.
 */
async function upload(
  rt: AttachmentHost,
  { name, image, credentials }: Place,
  addition: Parameters<typeof pushAttachment>[1],
): Promise<Digest> {
  const names = image === undefined ? [name] : namesUsed(name, image);
  const repositories = new Set(names.map((each) => canonicalRepository(parseReference(each))));
  const [repository, ...others] = repositories;
  if (repository === undefined || others.length > 0) {
    const many = others.length > 0 ? 'several repositories' : 'none';
    throw new A3sError(
      'invalid-argument',
      `Cannot tell which repository the signature of ${name} belongs to: the image has a name in ${many}`,
      { remedy: 'Use the image by a name.' },
    );
  }
  const { signal, unlink } = linkedSignal(rt.shutdown);
  try {
    const options = { access: 'push', credentials, signal } as const;
    const place = rt.registry.repository(repository, options);
    await checkThere(place, addition.subject);
    const digest = await pushAttachment(place, addition);
    if (image === undefined) return digest;
    const subjects = subjectsOf(image);
    const fresh = await freshAttachments(rt.registry, { names, subjects, credentials, signal });
    await rt.images.attach(subjects, fresh);
    return digest;
  } finally {
    unlink();
  }
}

function subjectsOf({ manifestDigest, indexDigests }: Image): readonly Digest[] {
  return [manifestDigest, ...indexDigests];
}

function checkSubject(
  subject: Digest | undefined,
  image: Image | undefined,
  name: string,
): asserts subject is Digest {
  const there = image === undefined ? [parseReference(name).digest] : subjectsOf(image);
  if (subject !== undefined && there.includes(subject)) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot attach to ${subject}: it is neither the manifest of ${name} nor an index that lists it`,
  );
}

/**
 * The subject must be in the registry: a client could not find a signature of an image that the
 * registry lacks.
 */
async function checkThere(repository: Repository, subject: Digest): Promise<void> {
  if ((await repository.describe(subject)) !== undefined) return;
  throw new A3sError('not-in-registry', `${repository.name} has no ${subject} to attach to`, {
    remedy: 'Push the image first.',
  });
}

function shown(attachment: Attachment, shows: (blob: Digest) => boolean): AttachmentShown {
  const { subject, attachedBy, digest, mediaType, manifest, blobs } = attachment;
  return {
    ...{ subject, attachedBy, digest, mediaType },
    manifest: manifest.toString('base64'),
    blobs: [...blobs].map(([blob, bytes]) => ({
      digest: blob,
      size: bytes.length,
      ...(shows(blob) ? { data: bytes.toString('base64') } : {}),
    })),
  };
}
