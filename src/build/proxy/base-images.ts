/**
 * The images that builds may begin with: found in the store or in their registries, and decided on
 * by the image policy before any of their bytes is served.
 *
 * @module
 */
import { fetchAttachments } from '../../distribution/fetch-attachments.ts';
import { choosePlatform, selectPlatform } from '../../distribution/select-platform.ts';
import { A3sError } from '../../errors.ts';
import type { BaseImage, Image, StoredDocument } from '../../images/image.ts';
import { DEFAULT_LIMITS } from '../../images/limits.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { type Descriptor, type Index, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { INDEX_TYPES, OCI_INDEX } from '../../oci/media-types.ts';
import { hostPlatform, type Platform, samePlatform } from '../../oci/platform.ts';
import {
  canonicalName,
  canonicalRepository,
  familiarName,
  familiarRepository,
  type Reference,
} from '../../oci/reference.ts';
import type { Credentials, Repository } from '../../registry/registry.ts';
import type { TrustDecision } from '../../trust/decision.ts';
import type { LoadedPolicy } from '../../trust/policy.ts';
import type { BuildHost } from '../host.ts';
import { type Blob, cacheBlobs } from './cache-manifest.ts';
import { changedMeanwhile, Refusal } from './refusal.ts';

/** Of one repository, images and blobs that builds have asked for. */
const MAX_REPOSITORIES = 128;
const MAX_ENTRIES = 4096;
/** Of one manifest, the last ones: a registry can make any number that list it. */
const MAX_INDEXES = 8;
/** A decision holds for the requests of one pull. */
const DECIDED_MS = 60_000;

/** Who asks, and until when. */
export interface Asker {
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
  /** The standing policy, by which the build began. */
  readonly policy: LoadedPolicy;
  /** Whether images come from their registries, though they be here. */
  readonly pulls: boolean;
  /** What the builds are for: an image of the store is for one platform. */
  readonly platforms: readonly Platform[];
  /** Called with each image that the policy accepts, as often as it is asked for. */
  readonly used: (image: BaseImage) => void;
}

/** Where the bytes of a permitted blob are. */
export interface PermittedBlob {
  readonly size: number;
  readonly mediaType: string;
  /** The image of the store that has it; undefined for one of the registry. */
  readonly image: Image | undefined;
  /** Digest of the policy that accepted its image. */
  readonly policy: string;
}

interface RepositoryState {
  /** Manifest → the indexes that list it. */
  readonly indexes: Map<string, Digest[]>;
  readonly blobs: Map<string, PermittedBlob>;
  /** Indexes of images of the store. */
  readonly made: Map<string, StoredDocument>;
  readonly decisions: Map<string, { readonly until: number; readonly image: BaseImage }>;
}

export class BaseImages {
  readonly #host: BuildHost;
  readonly #repositories = new Map<string, RepositoryState>();

  constructor(host: BuildHost) {
    this.#host = host;
  }

  /**
   * A manifest or an index, which the image policy accepts.
   *
   * @throws Refusal, A3sError `registry-…`
   */
  async manifest(reference: Reference, asker: Asker): Promise<StoredDocument> {
    const { made } = this.#state(reference);
    const known = made.get(reference.digest ?? '');
    if (known !== undefined) return known;
    const stored = asker.pulls ? undefined : await this.#stored(reference);
    if (stored === undefined) return await this.#fromRegistry(reference, asker);
    if (reference.digest !== undefined) {
      return (await this.#fromStore(reference, stored, asker)).manifest;
    }
    if (!asker.platforms.every((platform) => samePlatform(platform, stored))) {
      try {
        return await this.#fromRegistry(reference, asker);
      } catch (error) {
        if (!isNotToBeHad(error)) throw error;
      }
    }
    return await this.#indexOfStored(reference, stored, asker);
  }

  /**
   * A builder takes a manifest for any platform, and says to nobody which one it is for. So it gets
   * the index that the image came by, as from its registry, which has the other manifests too. An
   * image of no registry gets an index that lists it alone.
   */
  async #indexOfStored(reference: Reference, image: Image, asker: Asker): Promise<StoredDocument> {
    const { manifest, indexes } = await this.#fromStore(reference, image, asker);
    const repository = familiarRepository(reference);
    const here = image.repoDigests.flatMap((name) =>
      name.startsWith(`${repository}@`) ? [name.slice(repository.length + 1)] : [],
    );
    // Its registry gives it for every platform, too.
    if (here.includes(manifest.digest)) return manifest;
    const known =
      here.length === 0 ? indexes[0] : indexes.find(({ digest }) => here.includes(digest));
    const { made } = this.#state(reference);
    for (const index of indexes) {
      remember(made, index.digest, index);
      this.#list(reference, index);
    }
    const index = known ?? indexOf(manifest, image);
    remember(made, index.digest, index);
    return index;
  }

  async #fromRegistry(reference: Reference, asker: Asker): Promise<StoredDocument> {
    const name = canonicalRepository(reference);
    const repository = this.#host.registry.repository(name, {
      ...{ access: 'pull', mirrorMayDeny: true, namedByOthers: true },
      ...{ credentials: asker.credentials, signal: asker.signal },
    });
    const found = await repository.manifest(reference.digest ?? reference.tag ?? 'latest');
    if (found === undefined) throw new Refusal(404, `${familiarName(reference)} is not there`);
    const isIndex = INDEX_TYPES.includes(found.mediaType);
    if (isIndex && cacheBlobs(found.bytes, `index ${found.digest}`) === undefined) {
      await this.#acceptIndex(reference, repository, found, asker);
    } else await this.#accept(reference, repository, found, asker);
    return found;
  }

  /** A blob of an image that this policy has accepted. @throws Refusal */
  blob(reference: Reference & { readonly digest: Digest }, { policy }: Asker): PermittedBlob {
    const permitted = this.#state(reference).blobs.get(reference.digest);
    if (permitted?.policy === policy.digest) return permitted;
    throw new Refusal(
      403,
      `${familiarName(reference)} is of no image that the image policy has accepted for this builder; build with --no-cache, or empty the builder's cache: docker builder prune --all`,
    );
  }

  /** The image of the store with this name, or with this manifest below the name. */
  async #stored(reference: Reference): Promise<Image | undefined> {
    try {
      const image = await this.#host.images.resolve(canonicalName(reference));
      const { digest } = reference;
      return digest === undefined || image.manifestDigest === digest ? image : undefined;
    } catch (error) {
      if (error instanceof A3sError && error.code === 'no-such-image') return undefined;
      throw error;
    }
  }

  async #fromStore(
    reference: Reference,
    image: Image,
    { policy, used }: Asker,
  ): Promise<{ readonly manifest: StoredDocument; readonly indexes: readonly StoredDocument[] }> {
    const decision = await this.#host.judge(image, canonicalName(reference));
    this.#require(reference, decision);
    if (decision.policy.digest !== policy.digest) throw changedMeanwhile();
    used(baseImage(reference, image.manifestDigest, decision));
    return await this.#host.images.content(image, async ({ manifest, blobs, indexes }) => {
      for (const { digest, size, mediaType } of blobs) {
        this.#permit(reference, digest, { size, mediaType, image, policy: policy.digest });
      }
      return { manifest, indexes: reference.digest === undefined ? await indexes() : [] };
    });
  }

  /**
   * An index is decided on by its manifest for this host. Each manifest is decided on again when it
   * is asked for, those for other platforms then alone.
   */
  async #acceptIndex(
    reference: Reference,
    repository: Repository,
    found: StoredDocument,
    asker: Asker,
  ): Promise<void> {
    const index = this.#list(reference, found);
    const name = familiarName(reference);
    let own: Descriptor;
    try {
      own = selectPlatform(index, choosePlatform(undefined, hostPlatform()), name);
    } catch (error) {
      // An image for other platforms alone.
      if (error instanceof A3sError && error.code === 'not-in-registry') return;
      throw error;
    }
    const manifest = await repository.manifest(own.digest);
    if (manifest === undefined) throw new Refusal(404, `${name} lacks its manifest ${own.digest}`);
    await this.#accept(reference, repository, manifest, asker);
  }

  /** Signatures of an index count for each manifest that it lists. */
  #list(reference: Reference, { digest, bytes }: StoredDocument): Index {
    const index = parseIndex(bytes, `index ${digest}`);
    const { indexes } = this.#state(reference);
    for (const { digest: listed } of index.manifests) {
      const others = (indexes.get(listed) ?? []).filter((each) => each !== digest);
      remember(indexes, listed, [...others, digest].slice(-MAX_INDEXES));
    }
    return index;
  }

  async #accept(
    reference: Reference,
    repository: Repository,
    manifest: StoredDocument,
    { policy, used }: Asker,
  ): Promise<void> {
    const state = this.#state(reference);
    const key = `${reference.tag ?? ''} ${manifest.digest}`;
    let decided = state.decisions.get(key);
    const now = Date.now();
    if (decided === undefined || decided.until < now || decided.image.policy !== policy.digest) {
      const indexDigests = state.indexes.get(manifest.digest) ?? [];
      const attachments = await fetchAttachments(repository, [manifest.digest, ...indexDigests]);
      const decision = await this.#host.trust.decide(
        {
          reference: familiarName(reference),
          repository: canonicalRepository(reference),
          tag: reference.tag,
          manifestDigest: manifest.digest,
          ...{ indexDigests, attachments, confidential: false },
        },
        policy,
        new Date(),
      );
      this.#require(reference, decision);
      const image = baseImage(reference, manifest.digest, decision);
      decided = { until: now + DECIDED_MS, image: { ...image, policy: policy.digest } };
      remember(state.decisions, key, decided);
      const { verdict, reason } = decision;
      this.#host.log.info('a build may use an image', {
        ...{ image: image.name, manifest: manifest.digest, verdict, reason },
      });
    }
    used(decided.image);
    for (const { digest, size, mediaType } of blobsOf(manifest)) {
      this.#permit(reference, digest, {
        ...{ size, mediaType, image: undefined, policy: policy.digest },
      });
    }
  }

  #require(reference: Reference, decision: TrustDecision): void {
    if (decision.verdict !== 'refused') return;
    this.#host.refused(familiarName(reference), decision);
    throw new Refusal(403, `the image policy refuses it: ${decision.reason}`);
  }

  #permit(reference: Reference, digest: string, blob: PermittedBlob): void {
    remember(this.#state(reference).blobs, digest, blob);
  }

  #state(reference: Reference): RepositoryState {
    const name = canonicalRepository(reference);
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const state = {
      ...{ indexes: new Map(), blobs: new Map(), made: new Map(), decisions: new Map() },
    };
    remember(this.#repositories, name, state, MAX_REPOSITORIES);
    return state;
  }
}

function blobsOf({ digest, bytes }: StoredDocument): readonly Blob[] {
  const what = `manifest ${digest}`;
  const ofCache = cacheBlobs(bytes, what);
  if (ofCache !== undefined) return ofCache;
  const { config, layers } = parseManifest(bytes, what, DEFAULT_LIMITS);
  return [config, ...layers];
}

/** An image that is here alone: no registry has the name, or gives it out. */
function isNotToBeHad(error: unknown): boolean {
  if (error instanceof Refusal) return error.status === 404;
  return error instanceof A3sError && /^(?:registry-|not-in-registry$)/.test(error.code);
}

/** Says which platform the manifest is for. */
function indexOf({ digest, mediaType, bytes }: StoredDocument, image: Platform): StoredDocument {
  const { os, architecture } = image;
  const manifest = { mediaType, digest, size: bytes.length, platform: { os, architecture } };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [manifest] };
  const written = Buffer.from(JSON.stringify(index));
  return { digest: digestOf(written), mediaType: OCI_INDEX, bytes: written };
}

function baseImage(
  reference: Reference,
  manifest: string,
  { verdict, reason, policy }: TrustDecision,
): BaseImage {
  return { name: familiarName(reference), manifest, verdict, reason, policy: policy.digest };
}

/** Forgets the oldest entry beyond the bound. */
function remember<T>(map: Map<string, T>, key: string, value: T, max = MAX_ENTRIES): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}
