/**
 * The commands of templates, pools and snapshots: microVMs that others start as copies of.
 *
 * @module
 */
import { entry, type Group } from '../command-entry.ts';

const poolLs = entry('List pools', async () => (await import('../commands/pool/ls.ts')).listPools);
const poolRm = entry(
  'Remove one or more pools',
  async () => (await import('../commands/pool/remove.ts')).removePools,
);

export const pools: Group = {
  summary: 'Manage pools, microVMs that wait for boxes or pods',
  commands: {
    inspect: entry('Display detailed information on one or more pools', async () =>
      (await import('../commands/inspect-each.ts')).inspectBelow('/a3s/v1/pools', 'POOL'),
    ),
    ls: poolLs,
    list: poolLs,
    rm: poolRm,
    remove: poolRm,
    set: entry(
      'Make a pool, or change it',
      async () => (await import('../commands/pool/set.ts')).setPool,
    ),
  },
};

const snapshotLs = entry(
  'List snapshots',
  async () => (await import('../commands/snapshot/ls.ts')).listSnapshots,
);
const snapshotRm = entry(
  'Remove one or more snapshots',
  async () => (await import('../commands/snapshot/remove.ts')).removeSnapshots,
);

export const snapshots: Group = {
  summary: 'Manage snapshots of boxes, with their memory or of their disks',
  commands: {
    create: entry(
      'Make a snapshot of a box',
      async () => (await import('../commands/snapshot/create.ts')).createSnapshot,
    ),
    inspect: entry('Display detailed information on one or more snapshots', async () =>
      (await import('../commands/inspect-each.ts')).inspectBelow('/a3s/v1/snapshots', 'SNAPSHOT'),
    ),
    ls: snapshotLs,
    list: snapshotLs,
    prune: entry(
      'Remove snapshots that are of no use',
      async () => (await import('../commands/snapshot/prune.ts')).pruneSnapshots,
    ),
    restore: entry(
      'Give stopped boxes the disks of their snapshots back',
      async () => (await import('../commands/snapshot/restore.ts')).restoreSnapshots,
    ),
    rm: snapshotRm,
    remove: snapshotRm,
  },
};

const templateLs = entry(
  'List templates',
  async () => (await import('../commands/template/ls.ts')).listTemplates,
);
const templateRm = entry(
  'Remove one or more templates',
  async () => (await import('../commands/template/remove.ts')).removeTemplates,
);

export const templates: Group = {
  summary: 'Manage templates, which boxes start warm from',
  commands: {
    inspect: entry('Display detailed information on one or more templates', async () =>
      (await import('../commands/inspect-each.ts')).inspectBelow('/a3s/v1/templates', 'TEMPLATE'),
    ),
    ls: templateLs,
    list: templateLs,
    prune: entry(
      'Remove all templates that no running box uses',
      async () => (await import('../commands/template/prune.ts')).pruneTemplates,
    ),
    rm: templateRm,
    remove: templateRm,
    warm: entry(
      'Make the templates that are missing, and wait for them',
      async () => (await import('../commands/template/warm.ts')).warmTemplates,
    ),
  },
};
