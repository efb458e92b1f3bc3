/**
 * The signing code, loaded from its own bundle.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

type Library = typeof import('#signing');

/** Converts its errors to those of this bundle: each bundle has a class of its own for them. */
export async function withSigning<T>(act: (library: Library) => T | Promise<T>): Promise<T> {
  const library = await import('#signing');
  try {
    return await act(library);
  } catch (error) {
    if (error instanceof A3sError || !(error instanceof library.A3sError)) throw error;
    throw new A3sError(error.code, error.message, { remedy: error.remedy, cause: error.cause });
  }
}
