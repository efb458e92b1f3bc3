/**
 * Asking the server what it decides about an image.
 *
 * @module
 */
import { segment } from '../client/client.ts';
import { objectOf, type Received } from '../client/json.ts';
import type { Invocation } from '../command.ts';
import { bool, type Flag } from '../flags/flag.ts';
import { IMAGE_POLICY_FLAG, REFRESH_SIGNATURES_FLAG } from '../flags/image-flags.ts';
import { refreshAuth } from './image-choice.ts';
import { readImagePolicy, registerImagePolicy } from './image-policy.ts';

export const TRUST_FLAGS: readonly Flag[] = [
  IMAGE_POLICY_FLAG,
  REFRESH_SIGNATURES_FLAG,
  bool('confidential', 'Decide as for a confidential box, whose image must be signed'),
];

/**
 * @param what below the image: `trust`, or `trust/explanation`
 * @throws UsageError for a policy that cannot be read; A3sError as the server refuses
 */
export async function askAboutTrust<Answer>(
  invocation: Invocation,
  what: string,
): Promise<Received<Answer> & object> {
  const { context, flags, operands } = invocation;
  const image = operands[0] ?? '';
  const refresh = flags.bool('refresh-signatures');
  const policy = await readImagePolicy(invocation);
  const headers = await refreshAuth(context, refresh, image);
  const client = await context.connect();
  const imagePolicy = await registerImagePolicy(client, policy);
  const path = `/a3s/v1/images/${segment(image)}/${what}`;
  const confidential = flags.bool('confidential') || undefined;
  const query = { imagePolicy, refresh: refresh || undefined, confidential };
  return objectOf<Answer>(await client.json({ method: 'GET', path, query, headers }));
}
