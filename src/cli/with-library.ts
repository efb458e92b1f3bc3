/**
 * Code that is loaded from a bundle of its own, when a command needs it.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

/** Converts its errors to those of this bundle: each bundle has a class of its own for them. */
export async function withLibrary<Library extends { readonly A3sError: typeof A3sError }, Result>(
  loading: Promise<Library>,
  act: (library: Library) => Result | Promise<Result>,
): Promise<Result> {
  const library = await loading;
  try {
    return await act(library);
  } catch (error) {
    if (error instanceof A3sError || !(error instanceof library.A3sError)) throw error;
    throw new A3sError(error.code, error.message, { remedy: error.remedy, cause: error.cause });
  }
}
