/**
 * Stands in for a server that is killed while it works: puts a box with IPv6 into a network,
 * publishes a port of it and takes it out again, without end. It is given its directory.
 *
 * @module
 */

import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { attachWhole } from '../../src/networks/host/attach-whole.ts';
import { Endpoint } from '../../src/networks/host/endpoint.ts';
import { NamespaceNetworks } from '../../src/networks/host/namespace-networks.ts';

const [, , directory = '', text = ''] = process.argv;
const endpoint = Endpoint.parse(JSON.parse(text));
const bundle = join(import.meta.dirname, '../../dist/egress.cjs');
const log = {
  error: (message: string, error: unknown) => {
    throw new Error(message, { cause: error });
  },
};
const networks = new NamespaceNetworks(directory, log, { bundle, roots: async () => [] });

process.send?.('ready');
for (;;) {
  const tap = await attachWhole(networks, { ...endpoint, ports: [] });
  await networks.publish(endpoint);
  closeSync(tap);
  await networks.detach(endpoint.box);
}
