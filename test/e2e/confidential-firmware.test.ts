import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kernelHashes, kernelHashTable, parseOvmf } from '@a3s-box/attestation/measure';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MachineSpec } from '../../src/engine/engine.ts';
import type { ConfidentialSpec } from '../../src/engine/qemu/confidential/plan.ts';
import { confidentialPlace, flipped } from './support/confidential-machine.ts';
import { firmwareVerdict, type HandedOver } from './support/firmware-verdict.ts';

const LAUNCH_MS = 120_000;

let root: string;
let spec: ConfidentialSpec;
beforeAll(async () => {
  ({ root, spec } = await confidentialPlace('c2'.repeat(32)));
});
afterAll(() => rm(root, { recursive: true }));

const CHANGES = {
  'another kernel': (handed) => ({
    ...handed,
    kernel: flipped(handed.kernel, handed.kernel.length >> 1),
  }),
  'another initrd': (handed) => ({
    ...handed,
    initrd: flipped(handed.initrd, handed.initrd.length - 600),
  }),
  'another table': (handed) => ({
    ...handed,
    table: handed.table && { ...handed.table, bytes: flipped(handed.table.bytes, 100) },
  }),
  'a table that it does not know': (handed) => ({
    ...handed,
    table: handed.table && { ...handed.table, bytes: flipped(handed.table.bytes, 0) },
  }),
  'no table': (handed) => ({ ...handed, table: undefined }),
} satisfies Record<string, (handed: HandedOver) => HandedOver>;

function handedOver(): HandedOver {
  const firmware = readFileSync(spec.confidential.firmwarePath);
  const kernel = new Uint8Array(readFileSync(spec.boot.kernelPath));
  const initrd = new Uint8Array(readFileSync(spec.boot.initrdPath));
  const bytes = kernelHashTable(kernelHashes(kernel, initrd, spec.boot.commandLine.join(' ')));
  const address = parseOvmf(firmware).hashTableGpa ?? 0;
  return { firmware, kernel, initrd, table: { bytes, address } };
}

async function verdict(
  handed: HandedOver,
  changes: Pick<MachineSpec, 'boot'> = spec,
): Promise<string> {
  const own = { ...spec, boot: changes.boot, runtimeDir: join(root, 'fw'), disks: [] };
  return await firmwareVerdict(own, handed, AbortSignal.timeout(LAUNCH_MS));
}

it('starts what was measured', async () => {
  expect(await verdict(handedOver())).toBe('started');
});

it.each(Object.entries(CHANGES))('refuses %s', async (_, change) => {
  expect(await verdict(change(handedOver()))).toBe('refused');
});

it('refuses another command line', async () => {
  const boot = { ...spec.boot, commandLine: [...spec.boot.commandLine, 'debug'] };
  expect(await verdict(handedOver(), { boot })).toBe('refused');
});
