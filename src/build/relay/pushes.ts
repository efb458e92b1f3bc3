/**
 * Why a build may not push.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** The error of a build that would have the builder write to a registry. */
export function pushes(what: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot push ${what} during a build: the builder writes to no registry`,
    { remedy: 'Build without it, and then push the image: docker push NAME.' },
  );
}
