/**
 * `policy check` of an image policy: all the checks that the server makes before it applies the
 * policy.
 *
 * @module
 */
import { dirname, resolve } from 'node:path';
import type { ImagePolicy } from '@a3s-box/policies/image-policy';
import { canonicalRepository, parseReference } from '../../../oci/reference.ts';
import { printable } from '../../client/failure.ts';
import type { Invocation } from '../../command.ts';
import { InputError } from '../../files/input-error.ts';
import { inputName } from '../../files/input-file.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import { type Library, problemLines, refusing } from '../attest/load-library.ts';
import { identityWarnings } from './identity-warnings.ts';
import { describeImagePolicy, describeMatch } from './image-policy-text.ts';

/**
 * @param document as the text states it
 * @throws InputError for an invalid policy, with all its problems
 */
export async function checkImagePolicy(
  { context, flags }: Invocation,
  library: Library,
  path: string,
  document: unknown,
): Promise<void> {
  const policy = refusing(library, inputName(path), () => library.parseImagePolicy(document));
  const image = flags.string('image');
  const repository = image === undefined ? undefined : repositoryOf(image);
  const directory = path === '-' ? context.cwd : dirname(resolve(context.cwd, path));
  const { home } = await context.config();
  const loaded = await load(policy, path, directory, home);
  const rule = repository === undefined ? undefined : loaded.match(repository);
  const warnings = identityWarnings(policy);
  if (flags.bool('json')) {
    const { digest } = loaded;
    const match = repository === undefined ? {} : { repository, rule: rule ?? null };
    const said = { valid: true, kind: 'image', policy, digest, warnings, ...match };
    context.stdout.write(jsonText(said));
    return;
  }
  const said = [describeImagePolicy(policy, loaded)];
  if (repository !== undefined) said.push(describeMatch(policy, loaded, repository));
  said.push(printable(`The policy is valid. Its digest is ${loaded.digest}.\n`));
  context.stdout.write(said.join('\n'));
  for (const line of problemLines(inputName(path), warnings)) {
    context.stderr.write(printable(`WARNING: ${line}\n`));
  }
}

function repositoryOf(image: string): string {
  try {
    return canonicalRepository(parseReference(image));
  } catch (error) {
    throw new UsageError(`--image: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function load(policy: ImagePolicy, path: string, directory: string, home: string) {
  const { InvalidImagePolicy, loadParsedPolicy } = await import('#image-policy');
  try {
    const given = { source: 'call', path: inputName(path), directory } as const;
    return await loadParsedPolicy(policy, given, { tufCache: resolve(home, 'tuf') });
  } catch (error) {
    if (!(error instanceof InvalidImagePolicy)) throw error;
    const lines = problemLines(inputName(path), error.faults);
    const cause = { problems: error.faults };
    throw new InputError('policy-invalid', lines.join('\n'), { cause });
  }
}
