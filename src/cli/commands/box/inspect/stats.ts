import type { ContainerSummary } from '../../../../docker-api/containers/container.ts';
import type { ContainerStats } from '../../../../docker-api/containers/stats.ts';
import { type Client, segment } from '../../../client/client.ts';
import { objectOf, objectsOf, stringOf } from '../../../client/json.ts';
import type { Command, Invocation } from '../../../command.ts';
import { bool, string } from '../../../flags/flag.ts';
import { type Format, prepareFormat } from '../../../output/listing.ts';
import { STATS_LISTING, statsRow } from '../../../output/rows/stats-row.ts';
import { interruptible } from '../../../terminal/interruptible.ts';
import { FORMAT_HELP } from '../../format-help.ts';
import { isGone, isItsOwn, StatsWatch, type Watched } from './stats-watch.ts';

/** How often the table is drawn, as Docker does. */
const REDRAW_MS = 500;
/** How long the first table waits for all of its boxes, as Docker's does. */
const FIRST_MS = 2000;
/** Home, the table with each line's rest cleared, and everything below it cleared. */
const HOME = '\x1b[H';
const CLEAR = '\x1b[2J';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

export const stats: Command = {
  usage: '[OPTIONS] [BOX...]',
  flags: [
    bool('all', 'Show all boxes (default shows just running)', { short: 'a' }),
    string('format', FORMAT_HELP),
    bool('no-stream', 'Disable streaming stats and only pull the first result'),
    bool('no-trunc', 'Do not truncate output'),
  ],
  operands: { min: 0, max: Infinity },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const format = prepareFormat(flags.string('format'), STATS_LISTING);
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const named = async (): Promise<readonly string[]> =>
        operands.length > 0 ? operands : listed(client, flags.bool('all'));
      if (flags.bool('no-stream')) {
        const ids = await named();
        const sample = operands.length > 0 ? oneSample : oneOfAll;
        const samples = await Promise.all(ids.map((name) => sample(client, name, signal)));
        context.stdout.write(rowsOf(invocation, format, samples.flat()));
        return 0;
      }
      const ending = new AbortController();
      const both = AbortSignal.any([signal, ending.signal]);
      const watch = new StatsWatch(client, both, operands.length > 0);
      try {
        return await live(invocation, format, watch, named, signal);
      } finally {
        ending.abort();
      }
    });
  },
};

async function live(
  invocation: Invocation,
  format: Format,
  watch: StatsWatch,
  named: () => Promise<readonly string[]>,
  signal: AbortSignal,
): Promise<number> {
  const { context, flags, operands } = invocation;
  const following = operands.length === 0;
  const events = following ? watch.followEvents(flags.bool('all')) : undefined;
  // Awaited below, when there is something to see.
  events?.catch(() => undefined);
  const first = Promise.all((await named()).map((name) => watch.add(name)));
  // A guest that does not answer does not delay the others.
  await Promise.race([first, pause(FIRST_MS, signal)]);
  first.catch(() => undefined);
  const screen = context.stdout.isTTY === true;
  if (screen) context.stdout.write(CLEAR);
  for (;;) {
    signal.throwIfAborted();
    watch.check();
    if (!following && watch.boxes.length === 0) return 0;
    const text = rowsOf(invocation, format, watch.boxes);
    context.stdout.write(screen ? redrawn(text) : text);
    await Promise.race([pause(REDRAW_MS, signal), ...(events === undefined ? [] : [events])]);
  }
}

function redrawn(text: string): string {
  return `${HOME}${text.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`;
}

function rowsOf({ flags }: Invocation, format: Format, boxes: readonly Watched[]): string {
  const full = flags.bool('no-trunc');
  return format(boxes.map(({ name, sample }) => statsRow(name, sample, full)));
}

async function listed(client: Client, all: boolean): Promise<readonly string[]> {
  const call = { method: 'GET', path: '/containers/json', query: { all } } as const;
  return objectsOf<ContainerSummary>(await client.json(call)).map(({ Id }) => stringOf(Id));
}

async function oneSample(client: Client, name: string, signal: AbortSignal): Promise<Watched> {
  const path = `/containers/${segment(name)}/stats`;
  const call = { method: 'GET', path, query: { stream: false }, signal } as const;
  return { name, sample: objectOf<ContainerStats>(await client.json(call)) };
}

/**
 * The sample of a box that was not named: none where the box is gone, and an empty one where it
 * does not answer.
 */
async function oneOfAll(client: Client, name: string, signal: AbortSignal): Promise<Watched[]> {
  try {
    return [await oneSample(client, name, signal)];
  } catch (error) {
    if (isGone(error)) return [];
    if (isItsOwn(error)) return [{ name, sample: undefined }];
    throw error;
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
