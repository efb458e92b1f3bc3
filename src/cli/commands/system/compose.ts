import type { Command } from '../../command.ts';
import { becomePlugin } from './become-plugin.ts';
import { COMPOSE } from './find-plugin.ts';

export const compose: Command = {
  usage: '[COMMAND] [ARG...]',
  description:
    'Become docker compose, with the boxes of this installation as its containers. All arguments are those of docker compose; "a3s-box compose help" lists its commands.',
  flags: [],
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  passThrough: true,
  verbatim: true,
  run: (invocation) => becomePlugin(COMPOSE, invocation.operands, invocation),
};
