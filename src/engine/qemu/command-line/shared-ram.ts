/**
 * Whether the RAM of a VM is shared with the file servers of its shares.
 *
 * @module
 */
import type { VmSpec } from '../../vm/vm-spec.ts';

/** Of a VM from a template. */
export function hasSharedRam({
  shares,
  takesShares = false,
}: Pick<VmSpec, 'shares' | 'takesShares'>): boolean {
  return shares.length > 0 || takesShares;
}
