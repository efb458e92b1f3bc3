/**
 * Pulls one image from its registry into the store, unless the image policy refuses it.
 *
 * A name is resolved once. All later requests use digests, so a tag that moves meanwhile has no
 * effect. Before the decision, only documents and signatures are fetched, and nothing is stored.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import type { Image, ImageStore, IngestEvent, StoredDocument } from '../images/image.ts';
import type { Digest } from '../oci/digest.ts';
import { hostPlatform, type Platform } from '../oci/platform.ts';
import {
  canonicalName,
  canonicalRepository,
  familiarName,
  familiarRepository,
  type Reference,
} from '../oci/reference.ts';
import type { Credentials, Registry, Repository } from '../registry/registry.ts';
import type { TrustDecision } from '../trust/decision.ts';
import type { TrustQuestion } from '../trust/question.ts';
import { fetchAttachments } from './fetch-attachments.ts';
import { findImage, type RemoteImage } from './find-image.ts';
import { choosePlatform } from './select-platform.ts';

export interface PullParts {
  readonly registry: Registry;
  readonly images: Pick<ImageStore, 'ingest' | 'resolve'>;
  /** The platform that boxes here run; this host's where it is left out. */
  readonly platform?: Platform;
  /** The decision by the image policy that applies to this call. */
  decide(question: TrustQuestion): Promise<TrustDecision>;
}

export interface PullRequest {
  /** With a tag or a digest; with both, the digest counts. */
  readonly reference: Reference;
  /** `OS/ARCHITECTURE[/VARIANT]` */
  readonly platform?: string | undefined;
  readonly credentials?: Credentials | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((event: PullEvent) => void) | undefined;
}

export type PullEvent =
  /** The registry has it; layers come next. */
  { readonly state: 'found' } | IngestEvent;

export interface PullResult {
  readonly image: Image;
  /** The digest that the name refers to in the registry: of an index or of a manifest. */
  readonly digest: Digest;
  readonly decision: TrustDecision;
  /** Whether the name meant this image before. */
  readonly upToDate: boolean;
}

/** From it a Dockerfile begins with nothing, and no registry has it. */
const RESERVED = 'scratch';

/**
 * @throws A3sError `reserved-name`, `not-in-registry`, `image-untrusted`, `invalid-image`,
 *   `invalid-argument` for a platform that boxes here do not have, `registry-…`, or what storing
 *   throws
 */
export async function pullImage(parts: PullParts, request: PullRequest): Promise<PullResult> {
  if (familiarRepository(request.reference) === RESERVED) {
    // In Docker's words.
    throw new A3sError('reserved-name', `'${RESERVED}' is a reserved name`);
  }
  const ended = new AbortController();
  const signals = request.signal === undefined ? [] : [request.signal];
  try {
    return await pull(parts, request, AbortSignal.any([...signals, ended.signal]));
  } finally {
    // Where one request failed, others may still be under way.
    ended.abort();
  }
}

async function pull(
  parts: PullParts,
  request: PullRequest,
  signal: AbortSignal,
): Promise<PullResult> {
  const { reference, credentials } = request;
  const progress = request.progress ?? (() => undefined);
  const name = familiarName(reference);
  const platform = choosePlatform(request.platform, parts.platform ?? hostPlatform());
  const repository = parts.registry.repository(canonicalRepository(reference), {
    access: 'pull',
    mirrorMayDeny: true,
    credentials,
    signal,
  });
  const remote = await findImage(repository, reference, platform);
  progress({ state: 'found' });
  const attachments = await findAttachments(repository, remote, name);
  const decision = await parts.decide(questionOf(reference, remote, attachments));
  if (decision.verdict === 'refused') {
    throw new A3sError('image-untrusted', decision.reason, { remedy: remedyFor(decision) });
  }
  const before = await known(parts.images, name);
  const upToDate = before?.manifestDigest === remote.manifest.digest;
  const image = await parts.images.ingest(
    {
      manifest: remote.manifest,
      indexes: remote.index === undefined ? [] : [remote.index],
      platform,
      blob: (descriptor) => repository.blob(descriptor),
      names: reference.digest === undefined ? [canonicalName(reference)] : [],
      repoDigest: { repository: canonicalRepository(reference), digest: remote.digest },
      origin: { kind: 'pull', reference: name, at: new Date().toISOString() },
      attachments,
      signal,
    },
    // Docker reports no progress for layers that are not announced.
    (event) => (upToDate && isNoNews(event) ? undefined : progress(event)),
  );
  return { image, digest: remote.digest, decision, upToDate };
}

/** The store cannot explain an image that it does not have; the policy can. */
function remedyFor({ policy, image }: TrustDecision): string {
  const command = `a3s-box policy check ${policy.path ?? 'FILE'} --image ${image.repository}`;
  return `Nothing of it was stored. See what the policy asks of it with: ${command}`;
}

function isNoNews({ state }: IngestEvent): boolean {
  return state === 'planned' || state === 'waiting' || state === 'exists';
}

function questionOf(
  reference: Reference,
  remote: RemoteImage,
  attachments: readonly Attachment[],
): TrustQuestion {
  return {
    reference: familiarName(reference),
    repository: canonicalRepository(reference),
    tag: reference.tag,
    manifestDigest: remote.manifest.digest,
    indexDigests: remote.index === undefined ? [] : [remote.index.digest],
    attachments,
    // Create and start decide whether the image may boot as a confidential box.
    confidential: false,
  };
}

/**
 * A registry that fails here may hide a signature, and an image without it must not be taken for
 * unsigned.
 */
async function findAttachments(
  repository: Repository,
  { manifest, index }: RemoteImage,
  name: string,
): Promise<readonly Attachment[]> {
  const subjects = [manifest, index].filter(isThere).map(({ digest }) => digest);
  try {
    return await fetchAttachments(repository, subjects);
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    const message = `Cannot pull ${name}: its registry did not give its signatures: ${error.message}`;
    throw new A3sError(error.code, message, { remedy: error.remedy, cause: error });
  }
}

function isThere(document: StoredDocument | undefined): document is StoredDocument {
  return document !== undefined;
}

/** The digest that the name refers to in the store now. */
async function known(images: PullParts['images'], name: string): Promise<Image | undefined> {
  try {
    return await images.resolve(name);
  } catch (error) {
    if (error instanceof A3sError && error.code === 'no-such-image') return undefined;
    throw error;
  }
}
