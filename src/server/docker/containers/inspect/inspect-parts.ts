/**
 * What the inspection of a box and its line in the list share: mounts and network.
 *
 * @module
 */
import type { Box } from '../../../../boxes/record/box.ts';
import type { ContainerInspect } from '../../../../docker-api/container.ts';
import { GUEST_NETWORK } from '../../../../engine/network.ts';
import { bindMode, hasMachine, networkName } from './show.ts';

type Inspect = ContainerInspect;

export function mountsOf({ definition }: Box): Inspect['Mounts'] {
  return definition.binds.map((bind) => ({
    Type: 'bind',
    Source: bind.source,
    Destination: bind.destination,
    Mode: bindMode(bind),
    RW: !bind.readonly,
    Propagation: 'rprivate',
  }));
}

/** Each box has the same address, in a network of its own. */
export function addressOf(box: Box) {
  const connected = hasMachine(box) && box.definition.network !== 'none';
  return {
    Gateway: connected ? GUEST_NETWORK.gateway : '',
    IPAddress: connected ? GUEST_NETWORK.address : '',
    IPPrefixLen: connected ? GUEST_NETWORK.prefixLength : 0,
  };
}

export function endpointsOf(box: Box): Inspect['NetworkSettings']['Networks'] {
  const endpoint = { ...addressOf(box), NetworkID: '', EndpointID: '', Aliases: null };
  return { [networkName(box)]: endpoint };
}
