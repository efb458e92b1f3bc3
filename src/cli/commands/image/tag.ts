import { familiarRepository, parseReference } from '../../../oci/reference.ts';
import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { UsageError } from '../../usage-error.ts';

export const tag: Command = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  flags: [],
  operands: { min: 2, max: 2 },
  async run({ context, operands }) {
    const [source = '', target = ''] = operands;
    const reference = parseReference(target);
    if (reference.digest !== undefined) {
      throw new UsageError('refusing to create a tag with a digest reference', {
        status: 1,
        code: 'invalid-reference',
      });
    }
    const query = { repo: familiarRepository(reference), tag: reference.tag };
    const client = await context.connect();
    await client.json({ method: 'POST', path: `/images/${segment(source)}/tag`, query });
    return 0;
  },
};
