import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { string } from '../../flags/flag.ts';
import { forTerminals } from '../../output/json-text.ts';
import { Template } from '../../output/template.ts';
import { printFailure } from '../../print-failure.ts';
import { DOCUMENT_FORMAT_HELP } from '../format-help.ts';

export const inspectPool: Command = {
  usage: '[OPTIONS] POOL [POOL...]',
  description: 'Display detailed information on one or more pools',
  flags: [string('format', DOCUMENT_FORMAT_HELP, { short: 'f' })],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const format = flags.string('format') ?? '';
    const template = format === '' || format === 'json' ? undefined : new Template(format);
    const client = await context.connect();
    const found: unknown[] = [];
    const failures: unknown[] = [];
    for (const name of operands) {
      try {
        const path = `/a3s/v1/pools/${segment(name)}`;
        found.push(await client.json({ method: 'GET', path }));
      } catch (error) {
        failures.push(error);
      }
    }
    if (template !== undefined) {
      for (const item of found) context.stdout.write(`${template.evaluate(item)}\n`);
    } else {
      const json = JSON.stringify(found, null, format === 'json' ? 0 : 4);
      context.stdout.write(`${forTerminals(json)}\n`);
    }
    for (const failure of failures) printFailure(context, failure);
    return failures.length > 0 ? 1 : 0;
  },
};
