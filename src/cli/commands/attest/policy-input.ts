/**
 * `--policy`: the document of a file, or the strict policy where there is none.
 *
 * @module
 */
import type { Context } from '../../context.ts';
import { readInputFile } from '../../input-file.ts';
import { type Library, refusing } from './load-library.ts';

/** Longest text of a policy. */
const MAX_POLICY = 256 * 1024;

type Policy = Library['STRICT_POLICY'];

export interface PolicyDocument {
  /** As the text states it. */
  readonly document: unknown;
  /** Complete, defaults included. */
  readonly policy: Policy;
}

/** @throws UsageError for a file that cannot be read, InputError for what is no policy */
export async function readPolicy(
  context: Context,
  library: Library,
  path: string,
): Promise<PolicyDocument> {
  const text = await readInputFile(context, path, MAX_POLICY);
  return refusing(library, path, () => {
    const document = library.readPolicyDocument(text);
    return { document, policy: library.parseAttestationPolicy(document) };
  });
}
