/**
 * Gets an image's signatures and attestations from its registries anew, whatever the store has.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import type { Digest } from '../oci/digest.ts';
import { canonicalRepository, parseReference } from '../oci/reference.ts';
import type { Credentials, Registry } from '../registry/registry.ts';
import { fetchAttachments, MAX_ATTACHMENTS, MAX_BYTES } from './fetch-attachments.ts';

/** A registry that sends single bytes is never silent, and the start of a box waits for it. */
const DEADLINE_MS = 300_000;

export interface RefreshRequest {
  /** Canonical names of the image; each of their repositories is asked. */
  readonly names: readonly string[];
  /** The image's manifest, and the indexes that list it. */
  readonly subjects: readonly Digest[];
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
  /** For all of it, in milliseconds; five minutes where it is left out. */
  readonly deadlineMs?: number;
}

/**
 * Signatures and attestations as they are there now, by digest.
 *
 * @throws A3sError `registry-…` when a registry does not answer, so that stored artifacts are never
 * taken for fresh ones; `invalid-argument` for an image of no registry
 */
export async function freshAttachments(
  registry: Registry,
  request: RefreshRequest,
): Promise<readonly Attachment[]> {
  const { subjects, deadlineMs = DEADLINE_MS } = request;
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = AbortSignal.any([request.signal, deadline]);
  const repositories = repositoriesOf(request.names);
  const credentials = credentialsFor(repositories, request.credentials);
  const found = new Map<string, Attachment>();
  for (const { name } of repositories) {
    try {
      const repository = registry.repository(name, { access: 'pull', credentials, signal });
      for (const attachment of await fetchAttachments(repository, subjects)) {
        // One artifact may be attached to an image and to its index.
        found.set(`${attachment.subject} ${attachment.digest}`, attachment);
      }
      checkBounds([...found.values()]);
    } catch (error) {
      throw explain(deadline.aborted ? tookTooLong(deadlineMs) : error, name);
    }
  }
  return [...found.values()];
}

/**
 * The bounds of one repository and of the store also apply to the sum of several repositories.
 *
 * @throws A3sError `too-large`
 */
function checkBounds(found: readonly Attachment[]): void {
  const sizes = found.flatMap(({ manifest, blobs }) =>
    [manifest, ...blobs.values()].map(({ length }) => length),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (found.length <= MAX_ATTACHMENTS && bytes <= MAX_BYTES) return;
  throw new A3sError(
    'too-large',
    `with those before it there are ${found.length} artifacts of ${bytes} bytes, and ${MAX_ATTACHMENTS} of ${MAX_BYTES} bytes together are allowed`,
    { remedy: 'Use the image by one of its names.' },
  );
}

interface RepositoryName {
  readonly name: string;
  readonly domain: string;
}

function repositoriesOf(names: readonly string[]): readonly RepositoryName[] {
  const byName = new Map(
    names.map((name) => {
      const reference = parseReference(name);
      const repository = canonicalRepository(reference);
      return [repository, { name: repository, domain: reference.domain }];
    }),
  );
  if (byName.size > 0) return [...byName.values()];
  throw new A3sError(
    'invalid-argument',
    'Cannot refresh the signatures of an image that has no name: no registry is known for it',
    { remedy: 'Leave --refresh-signatures out, or use the image by a name.' },
  );
}

/** The credentials are for one registry, and no other one may see them. */
function credentialsFor(
  repositories: readonly RepositoryName[],
  credentials: Credentials | undefined,
): Credentials | undefined {
  if (credentials === undefined) return undefined;
  if (new Set(repositories.map(({ domain }) => domain)).size === 1) return credentials;
  throw new A3sError(
    'invalid-argument',
    'Cannot refresh the signatures of an image with names in several registries: credentials are for one of them',
    { remedy: 'Use the image by one of its names.' },
  );
}

function tookTooLong(milliseconds: number): A3sError {
  return new A3sError('registry-unreachable', `it took longer than ${milliseconds / 1000} seconds`);
}

function explain(error: unknown, repository: string): unknown {
  if (!(error instanceof A3sError)) return error;
  const message = `Cannot refresh the signatures at ${repository}: ${error.message}`;
  const stored = 'Leave --refresh-signatures out to decide by the signatures that are stored.';
  const remedy = error.remedy === undefined ? stored : `${error.remedy} ${stored}`;
  return new A3sError(error.code, message, { remedy, cause: error });
}
