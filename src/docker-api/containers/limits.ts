/**
 * What a box is held to, as the create and update documents have it.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const amount = z.int().min(0).default(0);

const Ulimit = z.strictObject({
  Name: z.string().max(64),
  Soft: z.int().min(-1).default(0),
  Hard: z.int().min(-1).default(0),
});
export type Ulimit = Document<typeof Ulimit>;

/** How much a second, of one disk. */
const DeviceRate = z.strictObject({
  Path: z.string().max(4096),
  Rate: z.int().min(0).default(0),
});
export type DeviceRate = Document<typeof DeviceRate>;

const Rates = z.array(DeviceRate).max(64).default([]);

/** Absent is 0: nothing is asked for. */
export const LIMIT_FIELDS = {
  Memory: amount,
  NanoCpus: amount,
  MemorySwap: z.int().min(-1).default(0),
  MemoryReservation: amount,
  PidsLimit: z.int().min(-1).default(0),
  CpuShares: amount,
  CpuPeriod: amount,
  CpuQuota: z.int().min(-1).default(0),
  CpusetCpus: z.string().max(1024).default(''),
  Ulimits: z.array(Ulimit).max(64).default([]),
  BlkioDeviceReadBps: Rates,
  BlkioDeviceWriteBps: Rates,
  BlkioDeviceReadIOps: Rates,
  BlkioDeviceWriteIOps: Rates,
};
export const LimitFields = z.strictObject(LIMIT_FIELDS);
export type LimitFields = Document<typeof LimitFields>;
