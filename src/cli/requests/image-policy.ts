/**
 * `--image-policy FILE`: a policy for one call, in place of the standing one.
 *
 * @module
 */
import { dirname, resolve } from 'node:path';
import type { ImagePolicyAdded, ImagePolicyBody } from '../../docker-api/a3s/image-policy.ts';
import type { Client } from '../client/client.ts';
import { objectOf, stringOf } from '../client/json.ts';
import type { Invocation } from '../command.ts';
import { inputName, readInput } from '../files/input-file.ts';
import { UsageError } from '../usage-error.ts';

const MAX_POLICY = 1024 * 1024;

/**
 * What the flag names, `-` for standard input; undefined where it is not given.
 *
 * @throws UsageError for a file that cannot be read, is too long, or is no text
 */
export async function readImagePolicy({
  context,
  flags,
}: Pick<Invocation, 'context' | 'flags'>): Promise<ImagePolicyBody | undefined> {
  const path = flags.string('image-policy');
  if (path === undefined) return undefined;
  const bytes = await readInput(context, path, MAX_POLICY, '--image-policy');
  const file = path === '-' ? undefined : resolve(context.cwd, path);
  const place =
    file === undefined ? { directory: context.cwd } : { directory: dirname(file), path: file };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), ...place };
  } catch {
    throw new UsageError(`--image-policy: ${inputName(path)} is not UTF-8 text`, {
      code: 'policy-invalid',
    });
  }
}

/**
 * Hands the policy to the server, which checks it.
 *
 * @returns its id for the query parameter `imagePolicy`; undefined where there is no policy
 * @throws A3sError `policy-invalid`
 */
export async function registerImagePolicy(
  client: Client,
  policy: ImagePolicyBody | undefined,
): Promise<string | undefined> {
  if (policy === undefined) return undefined;
  const path = '/a3s/v1/image-policies';
  return stringOf(
    objectOf<ImagePolicyAdded>(await client.json({ method: 'POST', path, body: policy })).id,
  );
}
