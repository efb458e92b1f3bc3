/**
 * The commands of volumes.
 *
 * @module
 */
import { entry, type Group } from '../command-entry.ts';

const ls = entry(
  'List volumes',
  async () => (await import('../commands/volume/ls.ts')).listVolumes,
);
const rm = entry(
  'Remove one or more volumes',
  async () => (await import('../commands/volume/remove.ts')).removeVolumes,
);

export const volumes: Group = {
  summary: 'Manage volumes',
  commands: {
    create: entry(
      'Create a volume',
      async () => (await import('../commands/volume/create.ts')).createVolume,
    ),
    inspect: entry('Display detailed information on one or more volumes', async () =>
      (await import('../commands/inspect-each.ts')).inspectBelow('/volumes', 'VOLUME'),
    ),
    ls,
    list: ls,
    prune: entry(
      'Remove unused local volumes',
      async () => (await import('../commands/volume/prune.ts')).pruneVolumes,
    ),
    rm,
    remove: rm,
  },
};
