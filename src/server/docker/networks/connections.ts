/**
 * The routes that move a box between networks, while it runs or before its next start.
 *
 * @module
 */
import type { Box } from '../../../boxes/record/box.ts';
import type { Runtime } from '../../../boxes/runtime.ts';
import { besideNone } from '../../../boxes/spec/beside-none.ts';
import {
  type ConnectHost,
  connectBox,
  connectToOwn,
  disconnectBox,
} from '../../../boxes/verbs/connect.ts';
import { NetworkConnection } from '../../../docker-api/network.ts';
import { A3sError } from '../../../errors.ts';
import { isPredefined } from '../../../networks/networks.ts';
import { BRIDGE, type PredefinedNetwork } from '../../../networks/predefined.ts';
import { empty } from '../../http/answer.ts';
import { EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { readEndpoint } from '../containers/create/create-networking.ts';
import {
  UNSUPPORTED_ENDPOINT,
  withoutUnsupported,
} from '../containers/create/unsupported-options.ts';
import { goBody } from '../go-document.ts';
import { query } from '../query.ts';
import type { AnyNetwork } from './describe-network.ts';

type ConnectionHost = ConnectHost & Pick<Runtime, 'networks' | 'store'>;

export const CONNECTION_ROUTES: readonly Route<ConnectionHost>[] = [
  route('POST', '/networks/:id/connect', {
    access: 'owner',
    summary: 'Connect a box to a network, also while it runs',
    query: query({}),
    answers: { 200: EMPTY },
    body: goBody(NetworkConnection),
    handler: async ({ id, body }, rt: ConnectionHost) => {
      const network = rt.networks.find(id);
      const box = rt.store.resolve(body?.Container ?? '');
      if (isPredefined(network)) await connectPredefined(rt, box, network, body?.EndpointConfig);
      else {
        const asked = readEndpoint(network.name, body?.EndpointConfig, [], 'EndpointConfig');
        await connectBox(rt, box.definition.id, asked);
      }
      return empty(200);
    },
  }),
  route('POST', '/networks/:id/disconnect', {
    access: 'owner',
    summary: 'Disconnect a box from a network, also while it runs',
    query: query({}),
    answers: { 200: EMPTY },
    body: goBody(NetworkConnection),
    handler: async ({ id, body }, rt: ConnectionHost) => {
      const network = rt.networks.find(id);
      const box = rt.store.resolve(body?.Container ?? '');
      if (!isIn(rt, box, network)) throw notConnected(box, network);
      await disconnectBox(rt, box.definition.id, isPredefined(network) ? undefined : network.id);
      return empty(200);
    },
  }),
];

async function connectPredefined(
  rt: ConnectionHost,
  { definition }: Box,
  { id }: PredefinedNetwork,
  endpoint: unknown,
): Promise<void> {
  withoutUnsupported('EndpointConfig.', endpoint, [], UNSUPPORTED_ENDPOINT, {
    verb: 'connect the box',
  });
  if (id !== BRIDGE.id) throw besideNone();
  await connectToOwn(rt, definition.id);
}

/** Whether the box is in the network, or would be when it starts, or was not taken out of it. */
function isIn(rt: ConnectionHost, { definition }: Box, wanted: AnyNetwork): boolean {
  const { id, network, endpoints } = definition;
  if (isPredefined(wanted)) return network === (wanted.id === BRIDGE.id ? 'default' : 'none');
  const places = [...endpoints, ...rt.networks.endpointsOfBox(id)];
  return places.some((each) => each.network === wanted.id);
}

function notConnected({ definition }: Box, network: AnyNetwork): A3sError {
  return new A3sError(
    'conflict',
    `container ${definition.id} is not connected to the network ${network.name}`,
    { remedy: 'Name a network that the box is in.' },
  );
}
