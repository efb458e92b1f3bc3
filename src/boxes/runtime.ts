/**
 * All services of the server.
 *
 * @module
 */
import type { Trust } from './policy/trust.ts';
import type { VmPools } from './pool/vm-pools.ts';
import type { RunServices } from './run/run-services.ts';

/** The rooms of boxes take parts of it, by the interfaces that it extends. */
export interface Runtime extends RunServices {
  readonly trust: Trust;
  readonly pools: VmPools;
}
