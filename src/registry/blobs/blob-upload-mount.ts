/**
 * Mounts blobs that a registry has in another repository already (distribution-spec 1.1, "Mounting
 * a blob from another repository").
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import { exchangeHead } from '../exchange/exchange.ts';
import type { RepositoryContext } from '../exchange/repository-context.ts';
import { checkDigestHeader } from '../manifests/manifests.ts';
import { cancelUpload, type StartedUpload, startedBy } from './started-upload.ts';

/** Bound on mount attempts: each is cheaper than an upload, up to a number. */
const MAX_SOURCES = 4;

export interface MountResult {
  /** Canonical name of the repository that had it. */
  readonly from?: string;
  /** The upload that the registry has started instead. */
  readonly upload?: StartedUpload;
}

/**
 * Mounts a blob from the first of the repositories that has it.
 *
 * @param from canonical names; those of other registries are skipped
 */
export async function mountBlob(
  context: RepositoryContext,
  digest: Digest,
  from: readonly string[],
): Promise<MountResult> {
  const paths = from
    .map((name) => parseReference(name))
    .filter(({ domain, path }) => domain === context.domain && path !== context.path)
    .map(({ path }) => path);
  let result: MountResult = {};
  for (const path of [...new Set(paths)].slice(0, MAX_SOURCES)) {
    if (result.upload !== undefined) {
      await cancelUpload(context, result.upload, `upload to ${context.name}`);
    }
    result = await tryMount(context, digest, path);
    if (result.from !== undefined) break;
  }
  return result;
}

async function tryMount(
  context: RepositoryContext,
  digest: Digest,
  from: string,
): Promise<MountResult> {
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
    if (head.status === 202) return { upload: startedBy(head, what) };
    if (head.status !== 201) return {};
    checkDigestHeader(head.headers, digest, what);
    return { from: `${context.domain}/${from}` };
  } catch (error) {
    // A missing right to read the other repository does not prevent the push to this one.
    if (isRefusal(error)) return {};
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof A3sError &&
    (error.code === 'registry-denied' || error.code === 'registry-unauthorized')
  );
}
