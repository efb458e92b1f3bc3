import type { EventMessage } from '../../../docker-api/system/system.ts';
import { messages } from '../../client/messages.ts';
import type { Command } from '../../command.ts';
import { list, string } from '../../flags/flag.ts';
import { prepareEventText } from '../../output/event-text.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { encodeFilters, parseFilter } from '../../values/filter.ts';
import { parseTimestamp } from '../../values/times/timestamp.ts';
import { DOCUMENT_FORMAT_HELP } from '../format-help.ts';

export const events: Command = {
  usage: '[OPTIONS]',
  description: 'Get real time events from the server: of boxes, images and trust decisions',
  flags: [
    list('filter', 'Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    string('format', DOCUMENT_FORMAT_HELP),
    string('since', 'Show all events created since timestamp'),
    string('until', 'Stream events until this timestamp'),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const now = Date.now();
    const timestamp = (text: string): string => parseTimestamp(text, now);
    const show = prepareEventText(flags.string('format'));
    const query = {
      filters: encodeFilters(flags.parsedList('filter', parseFilter)),
      since: flags.parsed('since', timestamp),
      until: flags.parsed('until', timestamp),
    };
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const call = { method: 'GET', path: '/events', query, signal } as const;
      for await (const event of messages<EventMessage>(client, call))
        context.stdout.write(`${show(event)}\n`);
      return 0;
    });
  },
};
