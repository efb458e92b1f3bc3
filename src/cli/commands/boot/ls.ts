import { withBoot } from '../../boot-library.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { prepareFormat } from '../../output/listing.ts';
import { BOOT_LISTING, bootRow } from '../../output/rows/boot-row.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const listBoots: Command = {
  usage: '[OPTIONS]',
  description:
    'List boot sets: the one of this installation, imported ones, and those that boxes pin',
  flags: [
    string('format', FORMAT_HELP),
    bool('no-trunc', "Don't truncate output"),
    bool('quiet', 'Only show boot set IDs', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const full = flags.bool('no-trunc');
    const format = prepareFormat(
      flags.string('format') ?? (flags.bool('quiet') ? '{{.ID}}' : undefined),
      BOOT_LISTING,
    );
    const places = await context.config();
    const sets = await withBoot(({ listBootSets }) => listBootSets(places));
    context.stdout.write(format(sets.map((each) => bootRow(each, full))));
    return 0;
  },
};
