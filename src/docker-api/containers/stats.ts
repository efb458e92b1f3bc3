/**
 * What `GET /containers/{id}/stats` answers, a document a line.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const count = z.int().min(0);

const entries = z
  .array(z.strictObject({ major: count, minor: count, op: z.string(), value: count }))
  .nullable();

const CpuStats = z.strictObject({
  /** Nanoseconds. */
  cpu_usage: z.strictObject({
    total_usage: count,
    usage_in_kernelmode: count,
    usage_in_usermode: count,
  }),
  system_cpu_usage: count.optional(),
  online_cpus: count.optional(),
  throttling_data: z.strictObject({
    periods: count,
    throttled_periods: count,
    throttled_time: count,
  }),
});

export const ContainerStats = z.strictObject({
  read: z.string(),
  preread: z.string(),
  pids_stats: z.strictObject({ current: count.optional(), limit: count.optional() }),
  blkio_stats: z.strictObject({
    io_service_bytes_recursive: entries,
    io_serviced_recursive: entries,
    io_queue_recursive: z.null(),
    io_service_time_recursive: z.null(),
    io_wait_time_recursive: z.null(),
    io_merged_recursive: z.null(),
    io_time_recursive: z.null(),
    sectors_recursive: z.null(),
  }),
  num_procs: count,
  storage_stats: z.strictObject({}),
  cpu_stats: CpuStats,
  precpu_stats: CpuStats,
  memory_stats: z.strictObject({
    usage: count.optional(),
    /** Lines of `memory.stat`. */
    stats: z.record(z.string(), count).optional(),
    limit: count.optional(),
  }),
  name: z.string(),
  id: z.string(),
  /** By device, without `lo`; absent where there is none. */
  networks: z
    .record(
      z.string(),
      z.strictObject({
        rx_bytes: count,
        rx_packets: count,
        rx_errors: count,
        rx_dropped: count,
        tx_bytes: count,
        tx_packets: count,
        tx_errors: count,
        tx_dropped: count,
      }),
    )
    .optional(),
});
export type ContainerStats = Document<typeof ContainerStats>;
