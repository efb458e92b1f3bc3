/**
 * A repository of a registry, by requests to it (OCI distribution-spec 1.1).
 *
 * @module
 */
import { downloadBlob } from './blobs/blob-download.ts';
import { hasBlob, uploadBlob } from './blobs/blob-upload.ts';
import { RETRY_LIMITS, type RetryLimits } from './exchange/attempts.ts';
import { broken, quoted, repositoryContext } from './exchange/repository-context.ts';
import { describeManifest, getManifest, sendManifest } from './manifests/manifests.ts';
import { listReferrers } from './manifests/referrers.ts';
import { addToFallback, describeReferrer } from './manifests/referrers-tag.ts';
import type { Repository, RepositoryOptions } from './registry.ts';
import type { Transport } from './transport/transport.ts';

export interface OpenOptions
  extends Pick<RepositoryOptions, 'access' | 'signal' | 'mirrorMayDeny'> {
  /** Limits for cut and slow connections. */
  readonly retryLimits?: Partial<RetryLimits>;
}

/**
 * @param transport to the registry that `name` starts with, with its user's rights
 * @param name canonical, without tag and digest
 */
export function openRepository(
  transport: Transport,
  name: string,
  options: OpenOptions,
): Repository {
  const retryLimits = { ...RETRY_LIMITS, ...options.retryLimits };
  const context = repositoryContext(transport, name, options, retryLimits);
  let last: Promise<unknown> = Promise.resolve();
  /**
   * Serializes updates of a list of referrers, so that none of our own requests loses what another
   * adds.
   */
  const serialized = async (task: () => Promise<void>): Promise<void> => {
    const mine = last.then(task);
    last = mine.catch(() => undefined);
    await mine;
  };
  return {
    name: context.name,
    manifest: (reference) => getManifest(context, reference),
    describe: (reference) => describeManifest(context, reference),
    blob: (descriptor) => downloadBlob(context, descriptor),
    hasBlob: (digest) => hasBlob(context, digest),
    referrers: (subject, artifactType) => listReferrers(context, subject, artifactType),
    putBlob: (descriptor, open, more) => uploadBlob(context, descriptor, open, more),
    putManifest: async (reference, mediaType, bytes) => {
      const referrer = describeReferrer(mediaType, bytes);
      const { digest, headers } = await sendManifest(context, reference, mediaType, bytes);
      if (referrer === undefined) return digest;
      const listed = headers['oci-subject'];
      if (listed === undefined) {
        await serialized(() => addToFallback(context, referrer.subject, referrer.descriptor));
      } else if (listed !== referrer.subject) {
        const what = `manifest ${digest} of ${context.name}`;
        const where = `at ${quoted(listed)}, not at ${referrer.subject}`;
        throw broken(what, `the registry lists it ${where}`);
      }
      return digest;
    },
  };
}
