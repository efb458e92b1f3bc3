/**
 * One image from its registry into the store.
 *
 * @module
 */
import type { ProgressLine } from '../../docker-api/images/progress.ts';
import {
  canonicalRepository,
  DEFAULT_TAG,
  familiarRepository,
  parseReference,
  type Reference,
} from '../../oci/reference.ts';
import type { Client } from '../client/client.ts';
import { messages } from '../client/messages.ts';
import type { Context } from '../context.ts';
import { registryAuth } from '../credentials/registry-auth.ts';
import { showProgress } from '../output/progress/progress.ts';

export interface PullOptions {
  readonly platform: string | undefined;
  /** Id of a policy that the server has. */
  readonly imagePolicy: string | undefined;
  /** Where progress is shown; undefined shows none. */
  readonly output: Context['stdout'] | undefined;
  readonly signal: AbortSignal;
}

/** @throws A3sError as the registry or the image policy refuses */
export async function pullImage(
  context: Context,
  client: Client,
  reference: Reference,
  options: PullOptions,
): Promise<void> {
  const call = {
    method: 'POST',
    path: '/images/create',
    query: {
      fromImage: familiarRepository(reference),
      tag: reference.digest ?? reference.tag ?? DEFAULT_TAG,
      platform: options.platform,
      imagePolicy: options.imagePolicy,
    },
    headers: await registryAuth(context, canonicalRepository(reference)),
    signal: options.signal,
  } as const;
  await showProgress(messages<ProgressLine>(client, call), options.output, context.env);
}

/** What an image is called in a command, with `latest` where no tag is given; `say` prints that. */
export function withTag(text: string, say: (line: string) => void): Reference {
  const reference = parseReference(text);
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  say(`Using default tag: ${DEFAULT_TAG}\n`);
  return { ...reference, tag: DEFAULT_TAG };
}
