/**
 * Stands in for a server, root's or an ordinary user's: makes networks as it is asked to, and keeps
 * the tap devices. It is given its directory.
 *
 * @module
 */

import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { attachWhole } from '../../../src/networks/host/attach-whole.ts';
import type { Endpoint } from '../../../src/networks/host/endpoint.ts';
import type { HostNetworks, Place } from '../../../src/networks/host/host-networks.ts';
import { NamespaceNetworks } from '../../../src/networks/host/namespace-networks.ts';
import { RootlessNetworks } from '../../../src/networks/rootless/rootless-networks.ts';

export type Asked =
  | { readonly ask: 'attach' | 'publish'; readonly endpoint: Endpoint }
  | { readonly ask: 'detach'; readonly box: string; readonly network?: string }
  | { readonly ask: 'reconcile'; readonly kept: readonly Place[] }
  | { readonly ask: 'availability' | 'repair' | 'refusals' | 'complaints' | 'closeTaps' };

const complaints: string[] = [];
const taps: number[] = [];
const log = {
  error: (message: string, error: unknown) => complaints.push(`${message}: ${String(error)}`),
};
const networks = networksOf(process.argv[2] ?? '');

function networksOf(directory: string): HostNetworks {
  if (process.geteuid?.() === 0) {
    const bundle = join(import.meta.dirname, 'egress.cjs');
    return new NamespaceNetworks(directory, log, { bundle, roots: async () => [] });
  }
  const bundle = join(import.meta.dirname, 'networks.cjs');
  return new RootlessNetworks(directory, log, { bundle, environment: process.env });
}

async function answer(asked: Asked): Promise<unknown> {
  switch (asked.ask) {
    case 'attach':
      return taps.push(await attachWhole(networks, asked.endpoint));
    case 'publish':
      return await networks.publish(asked.endpoint);
    case 'detach':
      return await networks.detach(asked.box, asked.network);
    case 'reconcile':
      return await networks.reconcile(asked.kept);
    case 'availability':
      return await networks.availability();
    case 'repair':
      return await networks.repair();
    case 'refusals':
      return await networks.refusals();
    case 'complaints':
      return complaints.splice(0);
    case 'closeTaps':
      return taps.splice(0).forEach(closeSync);
  }
}

process.umask(0o077);
process.on('message', async (asked: Asked) => {
  try {
    process.send?.({ value: await answer(asked) });
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    process.send?.({ failure: { code, message: message ?? String(error) } });
  }
});
process.on('disconnect', () => process.exit());
process.send?.({ value: 'ready' });
