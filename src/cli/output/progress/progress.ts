/**
 * Progress of images on their way, as Docker shows it: rows that move on a terminal, lines
 * elsewhere.
 *
 * @module
 */
import type { ProgressLine } from '../../../docker-api/images/progress.ts';
import { printable } from '../../client/failure.ts';
import { numberOf, objectOf, type Received, stringOf } from '../../client/json.ts';
import type { Context } from '../../context.ts';
import { progressRow } from './progress-row.ts';
import { ProgressScreen } from './progress-screen.ts';

/**
 * Shows all messages until they end, by themselves or with the error that ends them.
 *
 * @param output where it goes; undefined shows nothing
 */
export async function showProgress(
  source: AsyncIterable<Received<ProgressLine>>,
  output: Context['stdout'] | undefined,
  env: Context['env'],
): Promise<void> {
  const screen =
    output !== undefined && canMove(output, env) ? new ProgressScreen(output) : undefined;
  try {
    for await (const message of source) {
      if (output === undefined) continue;
      if (screen === undefined) showLine(message, output);
      else showOn(screen, message);
    }
  } finally {
    screen?.end();
  }
}

/** Whether lines can be drawn over. */
export function canMove(output: Context['stdout'], env: Context['env']): boolean {
  return output.isTTY === true && env['TERM'] !== 'dumb';
}

function showOn(screen: ProgressScreen, message: Received<ProgressLine>): void {
  const id = stringOf(message.id);
  // What has no share of a whole, such as the tag that is pulled, is news and no row.
  const isRow = id !== '' && (message.progressDetail !== undefined || screen.has(id));
  if (isRow) screen.show(progressRow(message));
  else if (stringOf(message.stream) !== '') {
    screen.above(printable(stringOf(message.stream)).replace(/\n$/, ''));
  } else if (stringOf(message.status) !== '') screen.line(statusLine(message));
}

/** A share of a whole is news only where it can be drawn over. */
function showLine(message: Received<ProgressLine>, output: Context['stdout']): void {
  const { current, total } = objectOf(message.progressDetail);
  if (numberOf(current) > 0 || numberOf(total) > 0) return;
  const text = stringOf(message.stream);
  if (text !== '') output.write(printable(text));
  else if (stringOf(message.status) !== '') output.write(`${statusLine(message)}\n`);
}

function statusLine(message: Received<ProgressLine>): string {
  const id = stringOf(message.id);
  return printable(`${id === '' ? '' : `${id}: `}${stringOf(message.status)}`);
}
