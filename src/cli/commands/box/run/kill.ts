import type { Command } from '../../../command.ts';
import { string } from '../../../flags/flag.ts';
import { postEach } from './post-each.ts';

export const kill: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: [string('signal', 'Signal to send to the box (default KILL)', { short: 's' })],
  operands: { min: 1, max: Infinity },
  run: (invocation) => postEach(invocation, 'kill', { signal: invocation.flags.string('signal') }),
};
