import type { Command } from '../../../command.ts';
import { postEach } from './post-each.ts';
import { STOP_FLAGS, stopQuery } from './stop.ts';

export const restart: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: STOP_FLAGS,
  operands: { min: 1, max: Infinity },
  run: (invocation) => postEach(invocation, 'restart', stopQuery(invocation.flags)),
};
