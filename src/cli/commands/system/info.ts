import type { Host } from '../../../docker-api/a3s/host.ts';
import type { Info } from '../../../docker-api/system/system.ts';
import { objectOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { string } from '../../flags/flag.ts';
import { Template } from '../../output/go-template/template.ts';
import { describeInfo } from '../../output/info-text.ts';
import { DOCUMENT_FORMAT_HELP } from '../format-help.ts';

export const info: Command = {
  usage: '[OPTIONS]',
  flags: [string('format', DOCUMENT_FORMAT_HELP, { short: 'f' })],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const format = flags.string('format') ?? '';
    const template = format === '' || format === 'json' ? undefined : new Template(format);
    const client = await context.connect();
    const [docker, host] = await Promise.all([
      client.json({ method: 'GET', path: '/info' }),
      client.json({ method: 'GET', path: '/a3s/v1/host' }),
    ]);
    // Docker's document, and fields that Docker does not have.
    const data = { ...objectOf<Info>(docker), ...objectOf<Host>(host), Socket: client.socket };
    if (template !== undefined) context.stdout.write(`${template.evaluate(data)}\n`);
    else if (format === 'json') context.stdout.write(`${JSON.stringify(data)}\n`);
    else context.stdout.write(describeInfo(data));
    return 0;
  },
};
