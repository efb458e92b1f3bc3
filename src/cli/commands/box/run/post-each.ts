import { segment } from '../../../client/client.ts';
import type { Invocation } from '../../../command.ts';
import { eachOf } from '../../each-of.ts';

/**
 * Sends `POST /containers/{name}/{verb}` for each box, and prints the names of those that succeed.
 *
 * @returns the exit status
 */
export async function postEach(
  { context, operands }: Pick<Invocation, 'context' | 'operands'>,
  verb: 'kill' | 'pause' | 'restart' | 'stop' | 'unpause',
  query: Readonly<Record<string, string | number | undefined>> = {},
): Promise<number> {
  const client = await context.connect();
  return eachOf(context, operands, async (name) => {
    await client.json({ method: 'POST', path: `/containers/${segment(name)}/${verb}`, query });
    return name;
  });
}
