/**
 * The context that all requests to one repository share.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { parseReference } from '../../oci/reference.ts';
import type { RepositoryOptions } from '../registry.ts';
import type { Transport } from '../transport/transport.ts';
import type { RetryLimits } from './attempts.ts';

export interface RepositoryContext {
  readonly transport: Transport;
  /** Canonical: `registry.example:5000/team/app`. */
  readonly name: string;
  readonly domain: string;
  /** The name below the registry: `team/app`. */
  readonly path: string;
  /** Token scopes of the access that was asked for. */
  readonly scopes: readonly string[];
  /** For what lies beside an image: signatures, and lists of referrers. */
  readonly mirrorMayDeny: boolean;
  readonly signal: AbortSignal | undefined;
  readonly retryLimits: RetryLimits;
}

/** @throws A3sError `invalid-reference` when `name` is not that of a repository */
export function repositoryContext(
  transport: Transport,
  name: string,
  { access, signal, mirrorMayDeny = false }: Omit<RepositoryOptions, 'credentials'>,
  retryLimits: RetryLimits,
): RepositoryContext {
  const { domain, path, tag, digest } = parseReference(name);
  if (tag !== undefined || digest !== undefined) {
    throw new A3sError(
      'invalid-reference',
      `Cannot use ${name} as a repository: it names an image`,
      {
        remedy: 'Leave out its tag and digest.',
      },
    );
  }
  const actions = access === 'push' ? 'pull,push' : 'pull';
  const scopes = [`repository:${path}:${actions}`];
  const names = { name: `${domain}/${path}`, domain, path };
  return { transport, ...names, scopes, mirrorMayDeny, signal, retryLimits };
}

/** An answer that no registry should give; `what` names the request. */
export function broken(what: string, why: string, cause?: unknown): A3sError {
  return new A3sError('registry-failed', `Cannot use ${what}: ${why}`, {
    remedy: 'Try again; if that does not help, the registry is damaged or not to be trusted.',
    cause,
  });
}

/** Text of a registry, fit for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 120));
}
