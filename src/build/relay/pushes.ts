/**
 * Where the client of a build has its builder write: results and caches, each to one repository.
 *
 * A builder writes a result under a tag that means nothing, and that no other result has: it keeps
 * an image under each name that it pushes. The control server gives the registry the client's tags.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { canonicalRepository, parseReference, withDefaultTag } from '../../oci/reference.ts';

export interface PushTarget {
  /** Canonical. */
  readonly repository: string;
  /** The tag that the builder writes. */
  readonly tag: string;
  /** What it is to the registry. */
  readonly tags: readonly string[];
}

/**
 * @param names as the client wrote them
 * @throws A3sError `invalid-reference`, `invalid-argument` without a name
 */
export function resultTargets(names: readonly string[], tag: string): readonly PushTarget[] {
  if (names.length === 0) {
    throw new A3sError('invalid-argument', 'Cannot push a result that has no name', {
      remedy: 'Give it one: -t NAME:TAG.',
    });
  }
  const byRepository = new Map<string, string[]>();
  for (const name of names) {
    const { repository, tag } = taggedName(name);
    byRepository.set(repository, [...(byRepository.get(repository) ?? []), tag]);
  }
  return [...byRepository].map(([repository, tags]) => ({ repository, tag, tags }));
}

/** @throws A3sError `invalid-reference` */
export function cacheTarget(name: string): PushTarget {
  const { repository, tag } = taggedName(name);
  return { repository, tag, tags: [tag] };
}

/** What Go programs reach without a proxy. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;

function taggedName(name: string): { readonly repository: string; readonly tag: string } {
  const reference = withDefaultTag(parseReference(name));
  const { domain, tag, digest } = reference;
  if (LOOPBACK.test(domain)) {
    throw new A3sError(
      'unsupported-option',
      `Cannot push to ${domain} during a build: that is the builder itself there`,
      { remedy: 'Build without it, and then push the image: docker push NAME.' },
    );
  }
  if (tag !== undefined && digest === undefined) {
    return { repository: canonicalRepository(reference), tag };
  }
  throw new A3sError('invalid-reference', `Cannot push to ${name}: what is pushed is a tag`, {
    remedy: 'Name it NAME:TAG.',
  });
}

/** The error of a build that would have the builder write in a way that is not looked into. */
export function pushes(what: string): A3sError {
  return new A3sError('unsupported-option', `Cannot push ${what} during a build`, {
    remedy: 'Push by a tag: --push, or --cache-to type=registry,ref=NAME:TAG.',
  });
}
