import type { WarmUpBody, WarmUpLine } from '../../../docker-api/a3s/template.ts';
import { numberOf, type Received, stringOf } from '../../client/json.ts';
import { messages } from '../../client/messages.ts';
import type { Command } from '../../command.ts';
import { bool, list } from '../../flags/flag.ts';
import { shortId } from '../../output/rows/template-row.ts';
import { UsageError } from '../../usage-error.ts';

export const warmTemplates: Command = {
  usage: '[OPTIONS]',
  description:
    'Make the templates that are missing, and wait until they are there.\n' +
    'Boxes of as many CPUs then start warm at once.',
  flags: [
    list('cpus', 'Number of CPUs of the boxes that are to start warm (default 1)', {
      value: 'int',
    }),
    bool('quiet', 'Only show template IDs', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const cpus = flags.parsedList('cpus', parseCpus);
    const quiet = flags.bool('quiet');
    const client = await context.connect();
    const body: WarmUpBody = cpus.length === 0 ? {} : { cpus };
    const call = { method: 'POST', path: '/a3s/v1/templates/warm', body } as const;
    for await (const message of messages<WarmUpLine>(client, call)) {
      const line = quiet ? idOf(message) : lineOf(message);
      if (line !== '') context.stdout.write(`${line}\n`);
    }
    return 0;
  },
};

/** @throws UsageError */
function parseCpus(text: string): number {
  const value = Number(text);
  if (/^\d{1,4}$/.test(text) && value > 0) return value;
  throw new UsageError(`invalid argument "${text}" for "--cpus" flag: must be a whole number`, {
    remedy: 'Templates are of whole CPUs: a box with --cpus 1.5 starts from one with 2.',
  });
}

function idOf({ status, id }: Received<WarmUpLine>): string {
  return status === 'ready' ? shortId(stringOf(id)) : '';
}

const STEPS: Readonly<Record<string, string>> = {
  waiting: 'Waiting for its turn',
  making: 'Booting and preparing a microVM',
  ready: 'Ready',
};

function lineOf({ cpus, status, id }: Received<WarmUpLine>): string {
  const count = numberOf(cpus);
  const what = `${count} CPU${count === 1 ? '' : 's'}`;
  return `${shortId(stringOf(id))}: ${what}: ${STEPS[stringOf(status)] ?? stringOf(status)}`;
}
