/**
 * A pool of VMs as a row of `pool ls`.
 *
 * @module
 */
import type { PoolSummary } from '../../../docker-api/a3s/pool.ts';
import { numberOf, type Received, stringOf } from '../../client/json.ts';
import { humanMemory } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

export const POOL_LISTING: Listing = {
  defaults:
    '{{.Name}}\t{{.Size}}\t{{.Ready}}\t{{.CPUs}}\t{{.Memory}}\t{{.For}}\t{{.Network}}\t{{.State}}',
  headers: {
    Name: 'NAME',
    Size: 'SIZE',
    Ready: 'READY',
    CPUs: 'CPUS',
    Memory: 'MEMORY',
    For: 'FOR',
    Network: 'NETWORK',
    Mounts: 'MOUNTS',
    State: 'STATE',
    Error: 'ERROR',
  },
};

export function poolRow(pool: Received<PoolSummary>): Row {
  return {
    Name: stringOf(pool.name),
    Size: String(numberOf(pool.size)),
    Ready: String(numberOf(pool.ready)),
    CPUs: String(numberOf(pool.cpus)),
    Memory: humanMemory(numberOf(pool.machineBytes)),
    For: pool.pods === true ? 'pods' : 'boxes',
    Network: stringOf(pool.network),
    Mounts: String(pool.mounts === true),
    State: stringOf(pool.state),
    Error: stringOf(pool.error),
  };
}
