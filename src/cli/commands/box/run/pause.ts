import type { Command } from '../../../command.ts';
import { postEach } from './post-each.ts';

export const pause: Command = verb('pause', 'Pause all processes within one or more boxes');

export const unpause: Command = verb('unpause', 'Unpause all processes within one or more boxes');

function verb(name: 'pause' | 'unpause', description: string): Command {
  return {
    usage: 'BOX [BOX...]',
    description,
    flags: [],
    operands: { min: 1, max: Infinity },
    run: (invocation) => postEach(invocation, name),
  };
}
