/**
 * What pods need of the server.
 *
 * @module
 */
import type { AuthorizationHost } from '../boxes/policy/authorize-image.ts';
import type { VmPools } from '../boxes/pool/vm-pools.ts';
import type { UidHost } from '../boxes/record/taken-uids.ts';
import type { Services } from '../boxes/services/services.ts';
import type { PodNetworks } from '../networks/cni/pod-networks.ts';
import type { RunningPods } from './launch/running-pod.ts';
import type { PodMounts } from './mounts/pod-mounts.ts';
import type { PodStore } from './record/store.ts';

/** A function takes the services that it uses, and no others. */
export type PodHost = AuthorizationHost &
  Omit<UidHost, 'pods' | 'pools'> &
  Pick<Services, 'home' | 'runtimeDir' | 'startTimeoutMs' | 'boot' | 'engine' | 'templates'> &
  Pick<Services, 'log' | 'locks' | 'identityFor'> & {
    readonly pods: PodStore;
    readonly pools: VmPools;
    readonly runningPods: RunningPods;
    readonly podNetworks: PodNetworks;
    readonly podMounts: PodMounts;
  };
