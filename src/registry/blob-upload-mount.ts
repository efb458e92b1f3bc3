/**
 * Blobs that a registry has in another repository already (distribution-spec 1.1, "Mounting a blob from another
 * repository").
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Digest } from '../images/digest.ts';
import { parseReference } from '../images/reference.ts';
import { cancelUpload, startedBy, type UploadSession } from './blob-upload-session.ts';
import { checkDigestHeader } from './manifests.ts';
import type { RepositoryContext } from './repository-context.ts';
import { exchangeHead } from './repository-exchange.ts';

/** Asking is cheaper than uploading, up to a point. */
const MAX_SOURCES = 4;

/**
 * Mounts a blob from the first of the repositories that has it.
 *
 * @param from canonical names; those of other registries are passed over
 * @returns the upload that the registry has begun instead, where it has
 */
export async function mountBlob(
  context: RepositoryContext,
  digest: Digest,
  from: readonly string[],
): Promise<'mounted' | UploadSession | undefined> {
  const paths = from
    .map((name) => parseReference(name))
    .filter(({ domain, path }) => domain === context.domain && path !== context.path)
    .map(({ path }) => path);
  let session: UploadSession | undefined;
  for (const path of [...new Set(paths)].slice(0, MAX_SOURCES)) {
    if (session !== undefined) await cancelUpload(context, session, `upload to ${context.name}`);
    const answer = await tryMount(context, digest, path);
    if (answer === 'mounted') return answer;
    session = answer;
  }
  return session;
}

async function tryMount(
  context: RepositoryContext,
  digest: Digest,
  from: string,
): Promise<'mounted' | UploadSession | undefined> {
  const what = `mount of blob ${digest} from ${context.domain}/${from} in ${context.name}`;
  try {
    const head = await exchangeHead(
      context,
      {
        method: 'POST',
        target: `${context.path}/blobs/uploads/`,
        query: { mount: digest, from },
        headers: { 'content-length': '0' },
        scopes: [...context.scopes, `repository:${from}:pull`],
        expected: [201, 202, 404, 405],
      },
      what,
    );
    if (head.status === 202) return startedBy(head, what);
    if (head.status !== 201) return undefined;
    checkDigestHeader(head.headers, digest, what);
    return 'mounted';
  } catch (error) {
    // No right to read the other repository is no reason not to push to this one.
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof A3sError &&
    (error.code === 'registry-denied' || error.code === 'registry-unauthorized')
  );
}
