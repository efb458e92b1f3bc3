/**
 * Finds the artifacts that a registry has beside an image: at cosign's tags, and by OCI 1.1's
 * referrers.
 *
 * Only digests are verified. Content that cannot be an artifact is kept as its manifest alone, so
 * that the decision can report it. A missing artifact is no failure. Any other failure is thrown,
 * since it might hide a signature.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import { DSSE_ENVELOPE, OCI_CONFIG, OCI_EMPTY, SIMPLE_SIGNING } from '../oci/media-types.ts';
import type { RemoteManifest, Repository } from '../registry/registry.ts';
import { type ArtifactManifest, parseArtifact } from './artifact-manifest.ts';

const MiB = 1024 * 1024;
/** Of one image. */
export const MAX_ATTACHMENTS = 64;
export const MAX_BYTES = 64 * MiB;
const MAX_BLOB = 16 * MiB;
const MAX_MANIFEST = 4 * MiB;
/** An image may have any number of indexes. */
const SUBJECTS_AT_ONCE = 4;

/** Tags of signatures and attestations; an SBOM at `.sbom` is unsigned. */
const TAG_SUFFIXES = ['sig', 'att'];

/** Types of artifacts that may hold signatures or attestations of an image. */
const LAYER_TYPES = [SIMPLE_SIGNING, DSSE_ENVELOPE];
const ARTIFACT_TYPES = [
  /^application\/vnd\.dev\.cosign\.artifact\.(?:sig|att)\.v1\+json$/,
  /^application\/vnd\.dev\.sigstore\.bundle(?:\.v\d+(?:\.\d+)?\+json|\+json;version=\d+(?:\.\d+)?)$/,
  /^application\/vnd\.in-toto(?:\.[a-z0-9.-]+)?\+(?:json|dsse)$/,
];

/**
 * Types in a list that say nothing about the artifact: cosign lists its bundles by the type of
 * their empty configuration.
 */
const VAGUE_TYPES = [undefined, OCI_EMPTY, OCI_CONFIG];

/**
 * Everything that is attached to these digests and may be a signature or an attestation.
 *
 * @throws A3sError `too-large` when it exceeds the bounds, `invalid-image` for bytes of another
 * digest, or `registry-…`
 */
export async function fetchAttachments(
  repository: Repository,
  subjects: readonly Digest[],
): Promise<readonly Attachment[]> {
  const found = new Map<string, Candidate>();
  const budget = new Budget(repository.name);
  for (let at = 0; at < subjects.length; at += SUBJECTS_AT_ONCE) {
    const some = subjects.slice(at, at + SUBJECTS_AT_ONCE);
    const perSubject = some.map((subject) => candidates(repository, subject, budget));
    for (const candidate of (await Promise.all(perSubject)).flat()) {
      const key = `${candidate.subject} ${candidate.manifest.digest}`;
      // Cosign stores one artifact in both places.
      if (found.has(key)) continue;
      found.set(key, candidate);
      budget.count(candidate);
    }
  }
  const attachments: Attachment[] = [];
  for (const candidate of found.values()) attachments.push(await fetch(repository, candidate));
  return attachments;
}

interface Candidate {
  readonly subject: Digest;
  readonly attachedBy: Attachment['attachedBy'];
  readonly manifest: RemoteManifest;
  /** Undefined where it is no manifest of an artifact. */
  readonly artifact: ArtifactManifest | undefined;
}

async function candidates(
  repository: Repository,
  subject: Digest,
  budget: Budget,
): Promise<readonly Candidate[]> {
  const [tagged, referring] = await Promise.all([
    atTags(repository, subject),
    byReferrers(repository, subject, budget),
  ]);
  return [...tagged, ...referring];
}

async function atTags(repository: Repository, subject: Digest): Promise<readonly Candidate[]> {
  const manifests = await Promise.all(
    TAG_SUFFIXES.map((suffix) => repository.manifest(`sha256-${hexOf(subject)}.${suffix}`)),
  );
  return manifests
    .filter((manifest) => manifest !== undefined)
    .map((manifest) => candidate(subject, 'tag', manifest));
}

async function byReferrers(
  repository: Repository,
  subject: Digest,
  budget: Budget,
): Promise<readonly Candidate[]> {
  const referrers = (await repository.referrers(subject)).filter(
    ({ artifactType }) => isVague(artifactType) || isRelevant(artifactType),
  );
  if (referrers.length > MAX_ATTACHMENTS) throw tooMany(repository.name);
  const found: Candidate[] = [];
  for (const { digest, size } of referrers) {
    if (size > MAX_MANIFEST) throw tooLarge(repository.name, 'a manifest', size, MAX_MANIFEST);
    const manifest = await repository.manifest(digest);
    if (manifest === undefined) continue;
    budget.read(manifest);
    const each = candidate(subject, 'referrer', manifest);
    // The artifact's own type counts, not the type in the list.
    const { artifact } = each;
    if (artifact?.subject !== subject || !artifact.types.some(isRelevant)) continue;
    found.push(each);
  }
  return found;
}

function isVague(type: string | undefined): boolean {
  return VAGUE_TYPES.includes(type);
}

function isRelevant(type: string | undefined): boolean {
  if (type === undefined) return false;
  return LAYER_TYPES.includes(type) || ARTIFACT_TYPES.some((pattern) => pattern.test(type));
}

function candidate(
  subject: Digest,
  attachedBy: Attachment['attachedBy'],
  manifest: RemoteManifest,
): Candidate {
  if (digestOf(manifest.bytes) !== manifest.digest) throw otherBytes(manifest.digest);
  return { subject, attachedBy, manifest, artifact: parseArtifact(manifest.bytes) };
}

/** The announced sizes are counted before any blob is fetched. */
class Budget {
  readonly #repository: string;
  #artifacts = 0;
  #bytes = 0;
  /** Bytes of manifests that may turn out to be of no interest. */
  #read = 0;

  constructor(repository: string) {
    this.#repository = repository;
  }

  read({ bytes: { length } }: RemoteManifest): void {
    this.#read += length;
    if (this.#read > MAX_BYTES) {
      throw tooLarge(this.#repository, 'all of it', this.#read, MAX_BYTES);
    }
  }

  count({ manifest, artifact }: Candidate): void {
    this.#artifacts += 1;
    if (this.#artifacts > MAX_ATTACHMENTS) throw tooMany(this.#repository);
    const { length } = manifest.bytes;
    if (length > MAX_MANIFEST) {
      throw tooLarge(this.#repository, 'a manifest', length, MAX_MANIFEST);
    }
    this.#bytes += length;
    for (const { size } of artifact?.layers ?? []) {
      if (size > MAX_BLOB) throw tooLarge(this.#repository, 'one', size, MAX_BLOB);
      this.#bytes += size;
    }
    if (this.#bytes > MAX_BYTES) {
      throw tooLarge(this.#repository, 'all of it', this.#bytes, MAX_BYTES);
    }
  }
}

async function fetch(
  repository: Repository,
  { subject, attachedBy, manifest, artifact }: Candidate,
): Promise<Attachment> {
  const blobs = new Map<Digest, Buffer>();
  for (const { digest, size } of artifact?.layers ?? []) {
    if (!blobs.has(digest)) blobs.set(digest, await readBlob(repository, digest, size));
  }
  const { digest, mediaType, bytes } = manifest;
  return { subject, attachedBy, digest, mediaType, manifest: bytes, blobs };
}

async function readBlob(repository: Repository, digest: Digest, size: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of repository.blob({ digest, size })) {
    length += chunk.length;
    if (length > size) throw otherBytes(digest);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (length !== size || digestOf(bytes) !== digest) throw otherBytes(digest);
  return bytes;
}

function otherBytes(digest: Digest): A3sError {
  return new A3sError(
    'invalid-image',
    `Cannot read the signature ${digest}: the registry sent other bytes than its digest says`,
    { remedy: "Try again; if it stays so, ask the registry's operator." },
  );
}

function tooMany(repository: string): A3sError {
  return new A3sError(
    'too-large',
    `Cannot read the signatures of an image in ${repository}: more than ${MAX_ATTACHMENTS} are attached to it`,
    { remedy: 'Remove those that are no longer needed from the registry.' },
  );
}

function tooLarge(repository: string, what: string, size: number, max: number): A3sError {
  return new A3sError(
    'too-large',
    `Cannot read the signatures of an image in ${repository}: ${what} has ${size} bytes, and ${max} are allowed`,
    { remedy: 'Remove those that are no longer needed from the registry.' },
  );
}
