/**
 * The commands of networks.
 *
 * @module
 */
import { entry, type Group } from '../command-entry.ts';

const ls = entry(
  'List networks',
  async () => (await import('../commands/network/ls.ts')).listNetworks,
);
const rm = entry(
  'Remove one or more networks',
  async () => (await import('../commands/network/remove.ts')).removeNetworks,
);

export const networks: Group = {
  summary: 'Manage networks',
  commands: {
    connect: entry(
      'Connect a box to a network',
      async () => (await import('../commands/network/connect.ts')).connectNetwork,
    ),
    create: entry(
      'Create a network',
      async () => (await import('../commands/network/create.ts')).createNetwork,
    ),
    disconnect: entry(
      'Disconnect a box from a network',
      async () => (await import('../commands/network/disconnect.ts')).disconnectNetwork,
    ),
    inspect: entry(
      'Display detailed information on one or more networks',
      async () => (await import('../commands/network/inspect.ts')).inspectNetwork,
    ),
    ls,
    list: ls,
    policy: entry(
      'Explain what the network policies of a box do',
      async () => (await import('../commands/network/policy.ts')).networkPolicy,
    ),
    prune: entry(
      'Remove all unused networks',
      async () => (await import('../commands/network/prune.ts')).pruneNetworks,
    ),
    rm,
    remove: rm,
  },
};
