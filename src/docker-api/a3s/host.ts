/**
 * What a host can do, and why not where it cannot.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const Capability = z.strictObject({
  name: z.string(),
  available: z.boolean(),
  reason: z.string().optional(),
});

/** `POST /a3s/v1/host/self-test`: QEMU with this accelerator, or libkrun, which has KVM alone. */
export const SelfTestRequest = z.union([
  z.strictObject({ accelerator: z.enum(['kvm', 'tcg']) }),
  z.strictObject({ engine: z.literal('krun') }),
]);

/** What a self-test found. Times are in milliseconds. */
export const SelfTestResult = z.strictObject({
  engine: z.enum(['qemu', 'krun']),
  /** Of QEMU. */
  accelerator: z.enum(['kvm', 'tcg']).optional(),
  /** The guest's kernel. */
  kernel: z.string(),
  /** Until the VMM ran with all its devices. */
  launchMs: z.int(),
  /** From there until the agent answered. */
  bootMs: z.int(),
  /** From there until the program had ended. */
  runMs: z.int(),
});
export type SelfTestResult = Document<typeof SelfTestResult>;

export const Host = z.strictObject({
  /** The engine of boxes for which none is named, and why. */
  defaultEngine: z.strictObject({ name: z.string(), reason: z.string() }),
  engines: z.array(
    Capability.extend({
      version: z.string().optional(),
      accelerators: z.array(Capability),
      tees: z.array(Capability),
    }),
  ),
  /** The programs of the system that are used, and where each is; no path: it is missing. */
  programs: z.array(
    z.strictObject({ name: z.string(), package: z.string(), path: z.string().optional() }),
  ),
  jail: z.strictObject({
    identity: z.boolean(),
    namespaces: z.boolean(),
    reason: z.string().optional(),
    landlock: z.boolean(),
    landlockReason: z.string().optional(),
    weakAccepted: z.boolean(),
    allRequired: z.boolean(),
  }),
  imagePolicy: z.union([
    z.strictObject({
      source: z.enum(['built-in', 'file', 'call']),
      digest: z.string(),
      rules: z.int(),
      path: z.string().optional(),
    }),
    z.strictObject({ problem: z.strictObject({ code: z.string(), message: z.string() }) }),
  ]),
  templates: z.strictObject({
    enabled: z.boolean(),
    count: z.int(),
    inUse: z.int(),
    sizeBytes: z.int(),
  }),
  root: z.boolean(),
  home: z.string(),
});
export type Host = Document<typeof Host>;
