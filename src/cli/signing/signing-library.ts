/**
 * The signing code, loaded from its own bundle.
 *
 * @module
 */
import { withLibrary } from '../with-library.ts';

type Library = typeof import('#signing');

export function withSigning<T>(act: (library: Library) => T | Promise<T>): Promise<T> {
  return withLibrary(import('#signing'), act);
}
