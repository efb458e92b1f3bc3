/**
 * Asking the server what it decides about an image.
 *
 * @module
 */
import { parseReference } from '../images/reference.ts';
import type { Client } from './client/client.ts';
import { segment } from './client/client.ts';
import { type JsonObject, objectOf } from './client/json.ts';
import type { Invocation } from './command.ts';
import { registryAuth } from './credentials/registry-auth.ts';
import { bool, type Flag } from './flags/flag.ts';
import { IMAGE_POLICY_FLAG, readImagePolicy, registerImagePolicy } from './image-policy.ts';

export const TRUST_FLAGS: readonly Flag[] = [
  IMAGE_POLICY_FLAG,
  bool('refresh-signatures', 'Fetch the signatures from the registry again before'),
];

/**
 * @param what below the image: `trust`, or `trust/explanation`
 * @throws UsageError for a policy that cannot be read; A3sError as the server refuses
 */
export async function askAboutTrust(invocation: Invocation, what: string): Promise<JsonObject> {
  const { context, flags, operands } = invocation;
  const image = operands[0] ?? '';
  const refresh = flags.bool('refresh-signatures');
  const policy = await readImagePolicy(invocation);
  const repository = refresh ? repositoryOf(image) : undefined;
  const headers = repository === undefined ? {} : await registryAuth(context, repository);
  const client: Client = await context.connect();
  const imagePolicy = await registerImagePolicy(client, policy);
  const path = `/a3s/v1/images/${segment(image)}/${what}`;
  return objectOf(
    await client.json({ method: 'GET', path, query: { imagePolicy, refresh }, headers }),
  );
}

/** Undefined for what can only be an id. */
function repositoryOf(image: string): string | undefined {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(image)) return undefined;
  const { domain, path } = parseReference(image);
  return `${domain}/${path}`;
}
