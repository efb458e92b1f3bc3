/**
 * The program in an ordinary user's namespaces: there it is root, and makes networks as a server of
 * root does. It ends with the server that has started it.
 *
 * @module
 */

import { closeSync } from 'node:fs';
import { attachWhole } from '../host/attach-whole.ts';
import type { Endpoint } from '../host/endpoint.ts';
import type { HostNetworks, NetworkLog } from '../host/host-networks.ts';
import { startHolderProcess } from './holder-process.ts';
import { describeFailure, type Message, Numbered, type Request } from './messages.ts';

/** The channel to the server. */
export type Tell = (message: Message) => void;

/** Failures go to the server's log. */
export function logTo(tell: Tell): NetworkLog {
  return {
    error: (log, error, fields) =>
      tell({ log, failure: describeFailure(error), ...(fields === undefined ? {} : { fields }) }),
  };
}

/** @param directory that of the process that holds the namespaces */
export function answerTo(
  tell: Tell,
  networks: HostNetworks,
  directory: string,
): (message: unknown) => Promise<void> {
  return async (message) => {
    const { number, request } = Numbered.parse(message);
    try {
      const value = await doAsked(networks, directory, request);
      tell({ number, ...(value === undefined ? {} : { value }) });
    } catch (error) {
      tell({ number, failure: describeFailure(error) });
    }
  };
}

/** The namespace has one user, and what limits the box runs as that one. */
function servedByOwnUser({ egress, ...endpoint }: Endpoint): Endpoint {
  return { ...endpoint, ...(egress === undefined ? {} : { egress: { ...egress, uid: 0 } }) };
}

async function doAsked(
  networks: HostNetworks,
  directory: string,
  request: Request,
): Promise<unknown> {
  switch (request.ask) {
    case 'attach':
      return await attachWhole(networks, servedByOwnUser(request.endpoint));
    case 'close':
      return closeSync(request.descriptor);
    case 'publish':
      return await networks.publish(servedByOwnUser(request.endpoint));
    case 'detach':
      return await networks.detach(request.box, request.network);
    case 'reconcile':
      return await networks.reconcile(request.kept);
    case 'repair':
      return await networks.repair();
    case 'refusals':
      return await networks.refusals();
    case 'hold':
      await startHolderProcess(directory, 'here');
      return undefined;
  }
}
