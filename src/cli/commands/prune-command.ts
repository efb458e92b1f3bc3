/**
 * The commands that remove what is not used: the user confirms, unless `--force` is given.
 *
 * @module
 */
import type { Client } from '../client/client.ts';
import type { Command, Invocation } from '../command.ts';
import { bool, type Flag, list } from '../flags/flag.ts';
import { isConfirmed } from '../terminal/confirm.ts';
import { type Filter, parseFilter } from '../values/filter.ts';

/** Given to `--filter`. */
export const pruneFilter = (example: string): Flag =>
  list('filter', `Provide filter values (e.g. "${example}")`, { value: 'filter' });

/** What was removed. */
export interface Pruned {
  /** Empty where nothing was removed. */
  readonly text: string;
  /** The reclaimed space. */
  readonly bytes: number;
}

/** The parts in which the commands differ. */
interface PruneParts {
  /** Beside `--force`. */
  readonly flags: readonly Flag[];
  /** Checks the flags too: it is called before anything is asked. @throws UsageError */
  readonly warning: (flags: Invocation['flags'], filters: readonly Filter[]) => string;
  /** Returns the command's output. */
  readonly remove: (
    client: Client,
    filters: readonly Filter[],
    flags: Invocation['flags'],
  ) => Promise<string>;
}

export function pruneCommand({ flags: own, warning, remove }: PruneParts): Command {
  return {
    usage: '[OPTIONS]',
    flags: [...own, bool('force', 'Do not prompt for confirmation', { short: 'f' })],
    operands: { min: 0, max: 0 },
    async run({ context, flags }) {
      const filtered = own.some(({ name }) => name === 'filter');
      const filters = filtered ? flags.parsedList('filter', parseFilter) : [];
      const text = `WARNING! This will remove ${warning(flags, filters)}.`;
      if (!flags.bool('force') && !(await isConfirmed(context, text))) return 0;
      context.stdout.write(await remove(await context.connect(), filters, flags));
      return 0;
    },
  };
}
