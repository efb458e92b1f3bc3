import { become } from '../../client/become.ts';
import type { Command } from '../../command.ts';
import { engineEnvironment } from './engine-environment.ts';
import { findCompose } from './find-compose.ts';
import { afterMeasure } from './measure-arguments.ts';

export const compose: Command = {
  usage: '[COMMAND] [ARG...]',
  description: [
    'Become docker compose, with the boxes of this installation as its containers. All arguments are those of docker compose;',
    '"a3s-box compose help" lists its commands. One command is our own:',
    '"a3s-box compose measure [--policy-out DIR] [SERVICE...]" computes what the confidential services will be, and starts none.',
  ].join('\n'),
  flags: [],
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  passThrough: true,
  verbatim: true,
  async run({ context, operands }) {
    const program = findCompose(context.env);
    const measuring = afterMeasure(operands);
    if (measuring !== undefined) {
      const { measureServices } = await import('./measure-services.ts');
      return measureServices(context, program, measuring);
    }
    // Docker's clients start no server.
    await context.connect();
    const { socket } = await context.config();
    return become(program, operands, engineEnvironment(context.env, socket), []);
  },
};
