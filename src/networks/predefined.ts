/**
 * The networks that are always there: `bridge`, which each box has to itself, and `none`.
 *
 * @module
 */
import { createHash } from 'node:crypto';

export interface PredefinedNetwork {
  readonly id: string;
  readonly name: 'bridge' | 'none';
  readonly driver: 'bridge' | 'null';
}

export const BRIDGE = predefined('bridge', 'bridge');
export const NONE = predefined('none', 'null');
export const PREDEFINED_NETWORKS: readonly PredefinedNetwork[] = [BRIDGE, NONE];

/** The subnet of `bridge`, which every box sees alike. */
export const BRIDGE_SUBNET = '10.0.2.0/24';

function predefined(
  name: PredefinedNetwork['name'],
  driver: PredefinedNetwork['driver'],
): PredefinedNetwork {
  return { id: createHash('sha256').update(`network ${name}`).digest('hex'), name, driver };
}
