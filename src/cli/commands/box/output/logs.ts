import { segment } from '../../../client/client.ts';
import type { Command } from '../../../command.ts';
import { bool, string } from '../../../flags/flag.ts';
import { printWarnings } from '../../../requests/confidential-warnings.ts';
import { copyOutput } from '../../../terminal/output.ts';
import { exitOnSignals, signalStatus } from '../../../terminal/signals.ts';
import { parseTimestamp } from '../../../values/times/timestamp.ts';
import { inspectBox } from './attach.ts';

export const logs: Command = {
  usage: '[OPTIONS] BOX',
  flags: [
    bool('details', 'Show extra details provided to logs'),
    bool('follow', 'Follow log output', { short: 'f' }),
    string(
      'since',
      'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
    string('tail', 'Number of lines to show from the end of the logs (default "all")', {
      short: 'n',
    }),
    bool('timestamps', 'Show timestamps', { short: 't' }),
    string(
      'until',
      'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
  ],
  operands: { min: 1, max: 1 },
  async run({ context, flags, operands }) {
    const now = Date.now();
    const timestamp = (text: string): string => parseTimestamp(text, now);
    const query = {
      stdout: true,
      stderr: true,
      details: flags.bool('details') || undefined,
      follow: flags.bool('follow'),
      timestamps: flags.bool('timestamps'),
      since: flags.parsed('since', timestamp),
      until: flags.parsed('until', timestamp),
      tail: flags.parsed('tail', parseTail) ?? 'all',
    };
    const client = await context.connect();
    const box = await inspectBox(client, operands[0] ?? '');
    printWarnings(context, box.warnings);
    const aborted = new AbortController();
    let left: NodeJS.Signals | undefined;
    const stop = exitOnSignals(context, (signal) => {
      left = signal;
      aborted.abort();
    });
    try {
      const path = `/containers/${segment(box.id)}/logs`;
      const response = await client.stream({ method: 'GET', path, query, signal: aborted.signal });
      await copyOutput(context, response, box.terminal);
      return 0;
    } catch (error) {
      if (left === undefined) throw error;
      return signalStatus(left);
    } finally {
      stop();
    }
  },
};

/** Docker reads a negative number as all. */
function parseTail(text: string): string {
  if (text === 'all' || /^-\d+$/.test(text)) return 'all';
  if (/^\d{1,15}$/.test(text)) return text;
  throw new RangeError('must be a number of lines or "all"');
}
