import { A3sError } from '../../errors.ts';
import { type Client, segment } from '../client/client.ts';
import type { Command, Invocation } from '../command.ts';
import { bool, string } from '../flags/flag.ts';
import { UsageError } from '../usage-error.ts';
import { INSPECT_FORMAT, inspectEach } from './inspect-each.ts';

type Kind = 'container' | 'image';

const SIZE = bool('size', 'Display total file sizes of boxes', { short: 's' });

/** Boxes first, then images. */
export const inspect: Command = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  description: 'Return low-level information on boxes and images',
  flags: [
    INSPECT_FORMAT,
    SIZE,
    string('type', 'Return JSON for specified type: container or image'),
  ],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectKinds(invocation, kindsOf(invocation.flags.string('type'))),
};

export const inspectContainer: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  description: 'Display detailed information on one or more boxes',
  flags: [INSPECT_FORMAT, SIZE],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectKinds(invocation, ['container']),
};

export const inspectImage: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  description: 'Display detailed information on one or more images',
  flags: [INSPECT_FORMAT],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectKinds(invocation, ['image']),
};

function kindsOf(type: string | undefined): readonly Kind[] {
  if (type === undefined || type === '') return ['container', 'image'];
  if (type === 'container' || type === 'box') return ['container'];
  if (type === 'image') return ['image'];
  throw new UsageError(`"${type}" is not a valid value for --type`, {
    status: 1,
    remedy: 'It is container or image.',
  });
}

function inspectKinds(invocation: Invocation, kinds: readonly Kind[]): Promise<number> {
  const { flags } = invocation;
  // Of images there is nothing to measure.
  const size = kinds.includes('container') && flags.bool('size');
  return inspectEach(invocation, (client, name) => find(client, kinds, name, size));
}

async function find(
  client: Client,
  kinds: readonly Kind[],
  name: string,
  size: boolean,
): Promise<unknown> {
  for (const kind of kinds) {
    try {
      const query = kind === 'container' && size ? { size } : {};
      return await client.json({ method: 'GET', path: `/${kind}s/${segment(name)}/json`, query });
    } catch (error) {
      const missing =
        error instanceof A3sError &&
        (error.code === 'no-such-box' || error.code === 'no-such-image');
      // What is no box may still be an image, and a name of neither may be malformed for one of them.
      if (!missing || kinds.length === 1) throw error;
    }
  }
  throw new A3sError('no-such-box', `No such box or image: ${name}`, {
    remedy: 'See a3s-box ps -a and a3s-box images.',
  });
}
