/**
 * Which image a new box gets, and by which policy: the flags of `run` and `create`.
 *
 * @module
 */
import type { ImagePolicyBody } from '../../docker-api/a3s/image-policy.ts';
import { A3sError } from '../../errors.ts';
import {
  canonicalRepository,
  familiarName,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../../oci/reference.ts';
import type { Client } from '../client/client.ts';
import type { Invocation } from '../command.ts';
import type { Context } from '../context.ts';
import { registryAuth } from '../credentials/registry-auth.ts';
import { UsageError } from '../usage-error.ts';
import { parsePlatform } from '../values/platform.ts';
import { readImagePolicy } from './image-policy.ts';
import { pullImage } from './pull-image.ts';

type PullWhen = 'always' | 'missing' | 'never';

export interface ImageChoice {
  readonly image: string;
  readonly pull: PullWhen;
  readonly platform: string | undefined;
  readonly policy: ImagePolicyBody | undefined;
  readonly refresh: boolean;
  readonly quiet: boolean;
}

/** @throws UsageError for a flag that cannot be used, before the server is asked */
export async function imageChoice(invocation: Invocation): Promise<ImageChoice> {
  const { flags, operands } = invocation;
  if (flags.string('image-policy') === '-' && flags.bool('interactive')) {
    throw new UsageError('--image-policy: standard input is for the box, with -i', {
      remedy: 'Name a file.',
    });
  }
  return {
    image: operands[0] ?? '',
    pull: flags.parsed('pull', pullWhen) ?? 'missing',
    platform: flags.parsed('platform', parsePlatform),
    refresh: flags.bool('refresh-signatures'),
    quiet: flags.bool('quiet'),
    policy: await readImagePolicy(invocation),
  };
}

function pullWhen(text: string): PullWhen {
  if (text === 'always' || text === 'missing' || text === 'never') return text;
  if (text === '') return 'missing';
  throw new RangeError('must be one of "always", "missing", or "never"');
}

/**
 * Calls `create`, with the image pulled before where that is wished, and pulled meanwhile where it
 * is missing.
 *
 * @param imagePolicy id of the choice's policy
 */
export async function withImage<T>(
  context: Context,
  client: Client,
  choice: ImageChoice,
  imagePolicy: string | undefined,
  signal: AbortSignal,
  create: () => Promise<T>,
): Promise<T> {
  const output = choice.quiet ? undefined : context.stderr;
  const options = { platform: choice.platform, imagePolicy, output, signal };
  if (choice.pull === 'always') {
    await pullImage(context, client, withDefaultTag(parseReference(choice.image)), options);
    return create();
  }
  try {
    return await create();
  } catch (error) {
    const missing = choice.pull === 'missing' && isMissing(error);
    const reference = missing ? pullable(choice.image) : undefined;
    if (reference === undefined) throw error;
    if (!choice.quiet) {
      context.stderr.write(`Unable to find image '${familiarName(reference)}' locally\n`);
    }
    await pullImage(context, client, reference, options);
    return create();
  }
}

/**
 * The header that the refreshing of an image's signatures needs; none where it is not wished, or
 * the image has no name.
 */
export async function refreshAuth(
  context: Context,
  refresh: boolean,
  image: string,
): Promise<Readonly<Record<string, string>>> {
  const reference = refresh ? pullable(image) : undefined;
  return reference === undefined ? {} : registryAuth(context, canonicalRepository(reference));
}

function isMissing(error: unknown): boolean {
  return error instanceof A3sError && error.code === 'no-such-image';
}

/** Undefined for an image's id, and for what is no name: no registry has them. */
function pullable(image: string): Reference | undefined {
  if (/^sha256:[0-9a-f]+$/.test(image)) return undefined;
  try {
    return withDefaultTag(parseReference(image));
  } catch (error) {
    if (error instanceof A3sError) return undefined;
    throw error;
  }
}
