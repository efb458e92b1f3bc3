/**
 * The limits of a box beside its memory and its CPU time.
 *
 * @module
 */
import { ULIMITS } from '@a3s-box/policies';
import * as z from 'zod';

const Ulimit = z.strictObject({
  name: z.enum(ULIMITS),
  /** -1 is unlimited, here and in `hard`. */
  soft: z.int().min(-1),
  hard: z.int().min(-1),
});
export type Ulimit = z.infer<typeof Ulimit>;

/** In units of Docker's API; 0 or empty: nothing is asked for. */
export const Limits = z.strictObject({
  /** Memory and swap together, in bytes; -1 is unlimited. A guest has no swap. */
  memorySwapBytes: z.int().min(-1),
  memoryReservationBytes: z.int().min(0),
  /** Processes and threads; 0 and -1 are unlimited. */
  pids: z.int().min(-1),
  /** Relative weight; 1024 is that of a box that asks for nothing. */
  cpuShares: z.int().min(0),
  /** Microseconds, given instead of a number of CPUs: both or neither. */
  cpuPeriodUs: z.int().min(0),
  cpuQuotaUs: z.int().min(0),
  /** Processors of the host that the VMM may run on, such as `0-1,3`. */
  cpuset: z.string(),
  ulimits: z.array(Ulimit),
  /**
   * The most that the VMM reads from and writes to the box's writable layer, in bytes or operations
   * a second.
   */
  disk: z.strictObject({
    readBps: z.int().min(0),
    writeBps: z.int().min(0),
    readIops: z.int().min(0),
    writeIops: z.int().min(0),
  }),
});
export type Limits = z.infer<typeof Limits>;

/** The limits of a box that asked for none. */
export const NO_LIMITS: Limits = {
  memorySwapBytes: 0,
  memoryReservationBytes: 0,
  pids: 0,
  cpuShares: 0,
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpuset: '',
  ulimits: [],
  disk: { readBps: 0, writeBps: 0, readIops: 0, writeIops: 0 },
};

/**
 * The name that stands for the box's only writable disk in Docker's `--device-read-bps` and its
 * like.
 */
export const BOX_DISK = '/dev/root';
