/**
 * The commands of builders.
 *
 * @module
 */
import { entry, type Group } from '../command-entry.ts';

const builderLs = entry(
  'List builders',
  async () => (await import('../commands/builder/ls.ts')).listBuilders,
);
const builderRm = entry(
  'Remove one or more builders',
  async () => (await import('../commands/builder/remove.ts')).removeBuilders,
);

export const builders: Group = {
  summary: 'Manage builders, boxes in which images are built',
  commands: {
    du: entry(
      'Disk usage of the build cache',
      async () => (await import('../commands/docker/build.ts')).builderUsage,
    ),
    inspect: entry('Display detailed information on one or more builders', async () =>
      (await import('../commands/inspect-each.ts')).inspectBelow('/a3s/v1/builders', 'BUILDER'),
    ),
    ls: builderLs,
    list: builderLs,
    prune: entry(
      'Remove build cache',
      async () => (await import('../commands/docker/build.ts')).pruneBuilder,
    ),
    rm: builderRm,
    remove: builderRm,
  },
};
