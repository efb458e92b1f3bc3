import type { Client } from '../client/client.ts';
import { objectOf, stringOf, stringsOf } from '../client/json.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { type CreateRequest, createRequest } from '../create-request.ts';
import { CREATE_FLAGS } from '../flags/box-flags.ts';

export const create: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  description: 'Create a new box',
  flags: CREATE_FLAGS,
  operands: { min: 1, max: Infinity },
  passThrough: true,
  failureStatus: 125,
  async run(invocation) {
    const { context } = invocation;
    const request = createRequest(invocation, true);
    const id = await createBox(context, await context.connect(), request);
    context.stdout.write(`${id}\n`);
    return 0;
  },
};

/** The id of the new box; the server's warnings go to stderr. */
export async function createBox(
  context: Context,
  client: Client,
  request: CreateRequest,
): Promise<string> {
  const created = objectOf(
    await client.json({
      method: 'POST',
      path: '/containers/create',
      query: { name: request.name },
      body: request.body,
    }),
  );
  for (const warning of stringsOf(created['Warnings'])) {
    context.stderr.write(`WARNING: ${warning}\n`);
  }
  return stringOf(created['Id']);
}
