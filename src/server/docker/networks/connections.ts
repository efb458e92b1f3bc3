/**
 * The routes that move a box between networks. A box keeps the network that it was created with:
 * what can be answered is answered in Docker's words, and the rest is refused.
 *
 * @module
 */
import type { Box } from '../../../boxes/record/box.ts';
import type { Runtime } from '../../../boxes/runtime.ts';
import { NetworkConnection } from '../../../docker-api/network.ts';
import { A3sError } from '../../../errors.ts';
import { BRIDGE, NONE, type PredefinedNetwork } from '../../../networks/predefined.ts';
import { type Route, route } from '../../http/route.ts';
import { goBody } from '../go-document.ts';
import { query } from '../query.ts';
import type { AnyNetwork } from './describe-network.ts';

type ConnectionHost = Pick<Runtime, 'networks' | 'store'>;

export const CONNECTION_ROUTES: readonly Route<ConnectionHost>[] = (
  ['connect', 'disconnect'] as const
).map((verb) =>
  route('POST', `/networks/:id/${verb}`, {
    access: 'owner',
    summary: `Refused with 400: a box keeps the network that it was created with, and cannot ${verb}`,
    query: query({}),
    answers: {},
    body: goBody(NetworkConnection),
    handler: ({ id, body }, rt: ConnectionHost) => {
      const box = rt.store.resolve(body?.Container ?? '');
      const network = rt.networks.find(id);
      if (isIn(rt, box, network) === (verb === 'connect')) throw already(verb, box, network);
      const way = verb === 'connect' ? 'to' : 'from';
      throw new A3sError(
        'unsupported-option',
        `Cannot ${verb} ${box.name} ${way} ${network.name}: a box keeps the network that it was created with`,
        { remedy: 'Create another box with --network.' },
      );
    },
  }),
);

function predefinedOf({ network }: Box['definition']): PredefinedNetwork | undefined {
  if (network === 'user') return undefined;
  return network === 'none' ? NONE : BRIDGE;
}

/** Whether the box is in the network, or would be when it starts. */
function isIn(
  { networks }: Pick<Runtime, 'networks'>,
  { definition }: Box,
  network: AnyNetwork,
): boolean {
  return (
    network.id === predefinedOf(definition)?.id ||
    definition.endpoints.some((endpoint) => endpoint.network === network.id) ||
    networks.endpointsOf(network.id).some(({ box }) => box === definition.id)
  );
}

function already(verb: 'connect' | 'disconnect', { name, definition }: Box, network: AnyNetwork) {
  return verb === 'connect'
    ? new A3sError(
        'network-forbidden',
        `endpoint with name ${name} already exists in network ${network.name}`,
        { remedy: 'The box is in this network already.' },
      )
    : new A3sError(
        'conflict',
        `container ${definition.id} is not connected to the network ${network.name}`,
        { remedy: 'Name a network that the box is in.' },
      );
}
