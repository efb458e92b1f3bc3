import { A3sError, type ErrorCode } from '../../../errors.ts';
import { type Client, segment } from '../../client/client.ts';
import type { Command, Invocation } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { UsageError } from '../../usage-error.ts';
import { INSPECT_FORMAT, inspectEach } from '../inspect-each.ts';

type Kind = 'container' | 'image' | 'network' | 'volume';

const KINDS: readonly Kind[] = ['container', 'image', 'network', 'volume'];

/** How the server says that there is none. */
const MISSING = {
  container: 'no-such-box',
  image: 'no-such-image',
  network: 'no-such-network',
  volume: 'no-such-volume',
} as const satisfies Readonly<Record<Kind, ErrorCode>>;

const SIZE = bool('size', 'Display total file sizes of boxes', { short: 's' });

/** Boxes first, then images, networks and volumes. */
export const inspect: Command = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  flags: [
    INSPECT_FORMAT,
    SIZE,
    string('type', 'Return JSON for specified type: container, image, network or volume'),
  ],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectKinds(invocation, kindsOf(invocation.flags.string('type'))),
};

export const inspectContainer: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: [INSPECT_FORMAT, SIZE],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectKinds(invocation, ['container']),
};

export const inspectImage: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: [INSPECT_FORMAT],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectKinds(invocation, ['image']),
};

function kindsOf(type: string | undefined): readonly Kind[] {
  if (type === undefined || type === '') return KINDS;
  if (type === 'container' || type === 'box') return ['container'];
  if (type === 'image' || type === 'network' || type === 'volume') return [type];
  throw new UsageError(`"${type}" is not a valid value for --type`, {
    status: 1,
    remedy: 'It is container, image, network or volume.',
  });
}

function inspectKinds(invocation: Invocation, kinds: readonly Kind[]): Promise<number> {
  const { flags } = invocation;
  // Of others there is nothing to measure.
  const size = kinds.includes('container') && flags.bool('size');
  return inspectEach(invocation, (client, name) => find(client, kinds, name, size));
}

async function find(
  client: Client,
  kinds: readonly Kind[],
  name: string,
  size: boolean,
): Promise<unknown> {
  let malformed: A3sError | undefined;
  for (const kind of kinds) {
    try {
      const below = kind === 'network' || kind === 'volume' ? '' : '/json';
      const query = kind === 'container' && size ? { size } : {};
      const path = `/${kind}s/${segment(name)}${below}`;
      return await client.json({ method: 'GET', path, query });
    } catch (error) {
      if (kinds.length === 1 || !(error instanceof A3sError)) throw error;
      // What is no box may still be something else, whose name may be malformed for an image.
      if (error.code === 'invalid-reference') malformed = error;
      else if (error.code !== MISSING[kind]) throw error;
    }
  }
  throw (
    malformed ??
    new A3sError('no-such-box', `No such box, image, network or volume: ${name}`, {
      remedy: 'See a3s-box ps -a, and ls of images, networks and volumes.',
    })
  );
}
