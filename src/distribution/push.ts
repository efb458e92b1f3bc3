/**
 * Pushes one image from the store to a registry, byte by byte as it is here, so its digest and its
 * signatures stay valid.
 *
 * The manifest of the image itself is pushed. An index that lists it is not pushed, since the
 * index's images for other platforms are not in the store. Where the registry has it at the tag
 * already, it stays there: its image for this platform is the one that is here.
 *
 * @module
 */

import { Semaphore } from '../async/semaphore.ts';
import { A3sError } from '../errors.ts';
import type { ContentBlob, Image, ImageStore, StoredDocument } from '../images/image.ts';
import type { Digest } from '../oci/digest.ts';
import {
  canonicalRepository,
  familiarName,
  parseReference,
  type Reference,
} from '../oci/reference.ts';
import type { Credentials, Registry, Repository } from '../registry/registry.ts';
import { pushSignatures, type SignatureEvent } from './push-signatures.ts';

/** As many layers of one image at once, as Docker does. */
const PARALLEL = 3;

export interface PushParts {
  readonly registry: Pick<Registry, 'repository'>;
  readonly images: Pick<
    ImageStore,
    'resolve' | 'list' | 'content' | 'attachments' | 'recordRepoDigest'
  >;
}

export interface PushRequest {
  /** With a tag, which is pushed; never with a digest. */
  readonly reference: Reference;
  readonly credentials?: Credentials | undefined;
  /** Pushes what the store has of signatures and attestations as well. */
  readonly signatures?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((event: PushEvent) => void) | undefined;
}

export type PushEvent = LayerEvent | SignatureEvent;

/** A layer's progress; `layer` is the digest of its blob. */
export type LayerEvent =
  | {
      readonly state: 'preparing' | 'waiting' | 'exists' | 'pushed';
      readonly layer: Digest;
    }
  /** @param from canonical name of a repository */
  | { readonly state: 'mounted'; readonly layer: Digest; readonly from: string }
  | {
      readonly state: 'pushing';
      readonly layer: Digest;
      readonly current: number;
      readonly total: number;
    };

export interface PushResult {
  readonly tag: string;
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly size: number;
}

/**
 * The tag is pushed last, so a pull by tag finds all of the image and its signatures.
 *
 * @throws A3sError `no-such-image`, `invalid-argument` for a name without a tag, `registry-…`
 */
export async function pushImage(parts: PushParts, request: PushRequest): Promise<PushResult> {
  const { reference, credentials, signal } = request;
  const progress = request.progress ?? (() => undefined);
  const tag = tagOf(reference);
  const image = await parts.images.resolve(familiarName(reference));
  const failing = new AbortController();
  const signals = [failing.signal, ...(signal === undefined ? [] : [signal])];
  const repository = parts.registry.repository(canonicalRepository(reference), {
    access: 'push',
    credentials,
    signal: AbortSignal.any(signals),
  });
  const mountFrom = await relatives(parts.images, image, reference);
  return await parts.images.content(image, async ({ manifest, blobs }) => {
    const [config, ...layers] = blobs;
    for (const { digest } of layers) progress({ state: 'preparing', layer: digest });
    for (const { digest } of layers.slice(PARALLEL)) progress({ state: 'waiting', layer: digest });
    const push = (blob: ContentBlob): Promise<void> =>
      pushBlob(repository, blob, mountFrom, blob === config ? () => undefined : progress);
    await inParallel([...layers, ...(config === undefined ? [] : [config])], push, failing);
    if (request.signatures === true) {
      await putDocument(repository, manifest.digest, manifest);
      await pushSignatures(repository, parts.images, image, progress);
    }
    const index = image.indexDigests.length > 0 ? await repository.describe(tag) : undefined;
    const isThere = index !== undefined && image.indexDigests.includes(index.digest);
    if (!isThere) await putDocument(repository, tag, manifest);
    const { digest, size } = isThere ? index : { ...manifest, size: manifest.bytes.length };
    await parts.images.recordRepoDigest({ repository: canonicalRepository(reference), digest });
    return { tag, digest, size };
  });
}

function tagOf(reference: Reference): string {
  const { tag, digest } = reference;
  if (tag !== undefined && digest === undefined) return tag;
  const name = familiarName(reference);
  throw new A3sError('invalid-argument', `Cannot push ${name}: what is pushed is a tag`, {
    remedy: 'Give the image a tag with a3s-box tag, and push that.',
  });
}

/**
 * Other repositories of the same registry that may have layers of the image, the likeliest first.
 */
async function relatives(
  images: PushParts['images'],
  image: Image,
  target: Reference,
): Promise<readonly string[]> {
  const layers = new Set(image.diffIds);
  const sharing = (await images.list()).filter(
    ({ id, diffIds }) => id !== image.id && diffIds.some((diffId) => layers.has(diffId)),
  );
  const names = [
    ...image.repoDigests,
    ...sharing.flatMap(({ repoDigests }) => repoDigests),
    ...image.tags,
  ];
  const own = canonicalRepository(target);
  const found = names
    .map(parseReference)
    .filter(({ domain }) => domain === target.domain)
    .map(canonicalRepository);
  return [...new Set(found)].filter((name) => name !== own);
}

async function pushBlob(
  repository: Repository,
  { digest, size, open }: ContentBlob,
  mountFrom: readonly string[],
  progress: (event: LayerEvent) => void,
): Promise<void> {
  const outcome = await repository.putBlob({ digest, size }, open, {
    mountFrom,
    onProgress: (current) => progress({ state: 'pushing', layer: digest, current, total: size }),
    onMounted: (from) => progress({ state: 'mounted', layer: digest, from }),
  });
  if (outcome === 'there') progress({ state: 'exists', layer: digest });
  if (outcome === 'uploaded') progress({ state: 'pushed', layer: digest });
}

async function putDocument(
  repository: Repository,
  reference: string,
  { digest, mediaType, bytes }: StoredDocument,
): Promise<void> {
  const stored = await repository.putManifest(reference, mediaType, bytes);
  if (stored === digest) return;
  throw new A3sError('registry-failed', `Cannot push ${digest}: the registry stored ${stored}`);
}

/**
 * Waits for all tasks, so that none still runs when the first failure, which ends the others, is
 * thrown.
 */
async function inParallel<T>(
  items: readonly T[],
  task: (item: T) => Promise<void>,
  failing: AbortController,
): Promise<void> {
  const slots = new Semaphore(PARALLEL);
  let failure: { readonly error: unknown } | undefined;
  const run = async (item: T): Promise<void> => {
    if (failure !== undefined) return;
    try {
      await task(item);
    } catch (error) {
      failure ??= { error };
      failing.abort();
    }
  };
  await Promise.all(items.map((item) => slots.run(() => run(item))));
  if (failure !== undefined) throw failure.error;
}
