/**
 * `--policy`: the document of a file, or the strict policy where there is none.
 *
 * @module
 */
import { MAX_POLICY_DOCUMENT } from '@a3s-box/policies/max-policy-document';
import type { Context } from '../../../context.ts';
import { inputName, readInput } from '../../../files/input-file.ts';
import { type Library, refusing } from '../load-library.ts';

type Policy = Library['STRICT_POLICY'];

export interface PolicyDocument {
  /** The bytes of the file. */
  readonly text: Uint8Array;
  /** As the text states it. */
  readonly document: unknown;
  /** Complete, defaults included. */
  readonly policy: Policy;
}

/**
 * @param flag that names the file; empty for an operand
 * @throws UsageError for a file that cannot be read, InputError for an invalid policy
 */
export async function readPolicy(
  context: Context,
  library: Library,
  path: string,
  flag: string,
): Promise<PolicyDocument> {
  const text = await readInput(context, path, MAX_POLICY_DOCUMENT, flag);
  const document = refusing(library, inputName(path), () => library.readPolicyDocument(text));
  const policy = refusing(library, inputName(path), () => library.parseAttestationPolicy(document));
  return { text, document, policy };
}

/** The content of the text, for each kind of policy. @throws as {@link readPolicy} */
export async function readDocument(
  context: Context,
  library: Library,
  path: string,
  flag: string,
): Promise<unknown> {
  const text = await readInput(context, path, MAX_POLICY_DOCUMENT, flag);
  return refusing(library, inputName(path), () => library.readPolicyDocument(text));
}
