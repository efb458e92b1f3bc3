/**
 * The dependencies of the server: the tiers below it, which its program passes in.
 *
 * @module
 */

import type { Trust } from '../boxes/policy/trust.ts';
import type { BootSets, Logger } from '../boxes/services/services.ts';
import type { Builders } from '../build/builder.ts';
import type { Dialer } from '../build/egress/dialer.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageStore } from '../images/image.ts';
import type { PodNetworks } from '../networks/cni/pod-networks.ts';
import type { RelayedNetworks } from '../networks/relay/relaying-networks.ts';
import type { PodMounts } from '../pods/mounts/pod-mounts.ts';
import type { Downloads } from '../registry/downloads.ts';
import type { Registry } from '../registry/registry.ts';
import type { Database } from '../state/database.ts';

export interface Dependencies {
  readonly engine: Engine;
  readonly images: ImageStore;
  readonly registry: Registry;
  readonly trust: Trust;
  readonly boot: BootSets;
  readonly hostNetworks: RelayedNetworks;
  readonly podNetworks: PodNetworks;
  readonly podMounts: PodMounts;
  /** Absent where nothing can be built. */
  readonly builders?: Builders | undefined;
  /** What builds fetch that is in no registry. */
  readonly downloads: Downloads;
  /** Connects the steps of builds to other hosts. */
  readonly dialer: Dialer;
}

/** Makes the dependencies. Called once the home is locked. */
export type OpenDependencies = (database: Database, log: Logger) => Promise<Dependencies>;
