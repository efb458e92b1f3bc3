import type { Created } from '../../../docker-api/containers/create.ts';
import type { Client } from '../../client/client.ts';
import { objectOf, stringOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import type { Context } from '../../context.ts';
import { withCidFile } from '../../files/cid-file.ts';
import { CREATE_FLAGS } from '../../flags/box-flags.ts';
import { confidentialRequest } from '../../requests/confidential-request.ts';
import { printWarnings, warningsFor } from '../../requests/confidential-warnings.ts';
import { type CreateRequest, createRequest, streamsOf } from '../../requests/create-request.ts';
import { egressRequest } from '../../requests/egress-request.ts';
import { egressSecrets } from '../../requests/egress-secrets.ts';
import {
  type ImageChoice,
  imageChoice,
  refreshAuth,
  withImage,
} from '../../requests/image-choice.ts';
import { registerImagePolicy } from '../../requests/image-policy.ts';
import { interruptible } from '../../terminal/interruptible.ts';

export const create: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  flags: CREATE_FLAGS,
  operands: { min: 1, max: Infinity },
  passThrough: true,
  async run(invocation) {
    const { context } = invocation;
    const confidential = await confidentialRequest(invocation);
    const egress = await egressRequest(invocation);
    const request = createRequest(invocation, streamsOf(invocation.flags), {
      ...{ confidential, egress },
      egressSecrets: await egressSecrets(invocation),
    });
    const choice = await imageChoice(invocation);
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const { id } = await createBox(context, client, request, choice, signal);
      printWarnings(context, warningsFor(confidential));
      context.stdout.write(`${id}\n`);
      return 0;
    });
  },
};

export interface CreatedBox {
  readonly id: string;
  /** The policy that decided about its image, where it is not the standing one. */
  readonly imagePolicy: string | undefined;
}

/** The new box, with its image pulled if necessary. The server's warnings go to stderr. */
export async function createBox(
  context: Context,
  client: Client,
  request: CreateRequest,
  choice: ImageChoice,
  signal: AbortSignal,
): Promise<CreatedBox> {
  const imagePolicy = await registerImagePolicy(client, choice.policy);
  const headers = await refreshAuth(context, choice.refresh, choice.image);
  const call = {
    method: 'POST',
    path: '/containers/create',
    // It has parts of volumes.
    version: '1.45',
    query: {
      name: request.name,
      platform: choice.platform,
      imagePolicy,
      refreshSignatures: choice.refresh || undefined,
    },
    headers,
    body: request.body,
  } as const;
  return withCidFile(request.cidFile, async () => {
    const created = objectOf<Created>(
      await withImage(context, client, choice, imagePolicy, signal, () => client.json(call)),
    );
    for (const warning of stringsOf(created.Warnings)) {
      context.stderr.write(`WARNING: ${warning}\n`);
    }
    return { id: stringOf(created.Id), imagePolicy };
  });
}
