/**
 * Attaches more RAM to VMs that need more than their template has.
 *
 * @module
 */
import { totalmem } from 'node:os';
import { A3sError } from '../../../errors.ts';
import type { VmmPlan } from '../command-line/arguments.ts';
import type { Command } from '../command-line/devices.ts';
import { growthPiece, inSteps } from '../command-line/growth-piece.ts';
import { hasSharedRam } from '../command-line/shared-ram.ts';

const GIB = 2 ** 30;

/**
 * The largest RAM of a VM from a template on this host: as much as the host has, in whole GiB, and
 * one GiB for alignment.
 */
export function growthLimit(templateBytes: number, hostBytes = totalmem()): number {
  return Math.ceil(Math.max(hostBytes, templateBytes) / GIB) * GIB + GIB;
}

/** Attaches the missing RAM as one piece. */
export function growthCommands({
  spec,
  growthBytes,
}: Pick<VmmPlan, 'spec' | 'growthBytes'>): Command[] {
  const base = spec.template?.memoryBytes ?? spec.memoryBytes;
  if (spec.memoryBytes <= base) return [];
  const missing = spec.memoryBytes - base;
  if (base + inSteps(missing) > growthBytes) {
    const limit = Math.floor(growthBytes / 2 ** 20);
    throw new A3sError('out-of-memory', `Cannot give a microVM more than ${limit} MiB`);
  }
  return growthPiece(missing, hasSharedRam(spec));
}
