import type { Command } from '../../../command.ts';
import { int, string } from '../../../flags/flag.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import { postEach } from './post-each.ts';

/** How a box is asked to end: by `stop`, and by `restart`. */
export const STOP_FLAGS = [
  string('signal', 'Signal to send to the box', { short: 's' }),
  int('time', 'Seconds to wait before killing the box', { short: 't', alias: 'timeout' }),
];

export const stop: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: STOP_FLAGS,
  operands: { min: 1, max: Infinity },
  run: (invocation) => postEach(invocation, 'stop', stopQuery(invocation.flags)),
};

export function stopQuery(flags: FlagValues) {
  return { signal: flags.string('signal'), t: flags.int('time') };
}
