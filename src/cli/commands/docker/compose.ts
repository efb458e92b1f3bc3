import type { Command } from '../../command.ts';
import type { Context } from '../../context.ts';
import { becomePlugin } from './become-plugin.ts';
import { COMPOSE } from './find-plugin.ts';
import { afterMeasure } from './measure-arguments.ts';

const DESCRIPTION = [
  'Become docker compose, with the boxes of this installation as its containers. All arguments are those of docker compose;',
  '"a3s-box compose help" lists its commands. One command is our own:',
  '"a3s-box compose measure [--policy-out DIR] [SERVICE...]" computes what the confidential services will be, and starts none.',
].join('\n');

export const compose: Command = {
  usage: '[COMMAND] [ARG...]',
  description: DESCRIPTION,
  flags: [],
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  passThrough: true,
  verbatim: true,
  async run(invocation) {
    const measuring = afterMeasure(invocation.operands);
    if (measuring === undefined) return becomePlugin(COMPOSE, invocation.operands, invocation);
    if (measuring.after.includes('--help')) return printHelp(invocation.context);
    const { measureServices } = await import('./measure-services.ts');
    return measureServices(invocation.context, measuring);
  },
};

/** Of `compose`, which describes `measure` too. */
function printHelp({ stdout }: Context): number {
  stdout.write(`\nUsage:  a3s-box compose ${compose.usage}\n\n${DESCRIPTION}\n`);
  return 0;
}
