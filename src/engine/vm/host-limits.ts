/**
 * Limits of a microVM's processes on the host.
 *
 * @module
 */

/** The limits of a VM's processes on the host. */
export interface HostLimits {
  /** Processors that they may run on. Empty: all of them; undefined: unchanged. */
  readonly processors?: readonly number[] | undefined;
  /** The nice value of all their threads; undefined: unchanged. */
  readonly nice?: number | undefined;
  /** The limit of the writable layer, in bytes or operations a second; 0: unlimited. */
  readonly disk: {
    readonly readBps: number;
    readonly writeBps: number;
    readonly readIops: number;
    readonly writeIops: number;
  };
}
