import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KRUN_CPUS } from '../../engine-name.ts';
import { acpiTables, TABLES_ADDRESS } from './tables.ts';

const TABLES = acpiTables();

/** The table at an address, of which all bytes have the sum 0. */
function tableAt(address: bigint): Buffer {
  const start = Number(address) - TABLES_ADDRESS;
  const table = TABLES.subarray(start, start + TABLES.readUInt32LE(start + 4));
  expect(sum(table)).toBe(0);
  return table;
}

function sum(bytes: Buffer): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

function found(): { dsdt: Buffer; fadt: Buffer; madt: Buffer } {
  const pointer = TABLES.subarray(0, 36);
  expect(pointer.toString('latin1', 0, 8)).toBe('RSD PTR ');
  expect([sum(pointer.subarray(0, 20)), sum(pointer)]).toEqual([0, 0]);
  const root = tableAt(pointer.readBigUInt64LE(24));
  const [fadt, madt] = [36, 44].map((at) => tableAt(root.readBigUInt64LE(at)));
  if (fadt === undefined || madt === undefined) throw new Error('a table is not there');
  return { dsdt: tableAt(fadt.readBigUInt64LE(140)), fadt, madt };
}

it('leads a kernel from the root pointer to all tables, whose checksums are right', () => {
  const { dsdt, fadt, madt } = found();
  const signatures = [dsdt, fadt, madt].map((table) => table.toString('latin1', 0, 4));
  expect(signatures).toEqual(['DSDT', 'FACP', 'APIC']);
  // Below 1 MiB.
  expect(TABLES_ADDRESS + TABLES.length).toBeLessThan(0x10_0000);
});

it('lists a processor for each number of an interrupt controller, in order', () => {
  const { madt } = found();
  const processors = Array.from({ length: KRUN_CPUS }, (_, cpu) => {
    const entry = madt.subarray(44 + 8 * cpu, 44 + 8 * (cpu + 1));
    return [entry[0], entry[1], entry[2], entry[3], entry.readUInt32LE(4)];
  });
  expect(processors).toEqual(Array.from({ length: KRUN_CPUS }, (_, cpu) => [0, 8, cpu, cpu, 1]));
  expect(madt.length).toBe(44 + 8 * KRUN_CPUS + 12);
});

it('describes a serial port and the places of libkrun’s devices, as another program reads it', () => {
  const source = decompiled(found().dsdt);
  expect(source).toContain('EisaId ("PNP0501")');
  const devices = source.split('Name (_HID, "LNRO0005")').slice(1);
  const places = devices.map((text) => {
    const [, base] = /(0x[0-9A-F]{8}), +\/\/ Address Base/.exec(text) ?? [];
    const line = /Interrupt \(ResourceConsumer, Edge, ActiveHigh, Exclusive[^{]*\{\s*(\w+)/.exec(
      text,
    );
    return [Number(base), Number(line?.[1])];
  });
  expect(places.slice(0, 11)).toEqual(
    Array.from({ length: 11 }, (_, n) => [0xd000_0000 + n * 0x1000, 5 + n]),
  );
  expect(places.slice(11)).toEqual(
    Array.from({ length: 8 }, (_, n) => [0xfeb0_0000 + n * 0x200, 5 + n]),
  );
  // The kernel would keep what the tables look at mapped, and refuse it to the driver.
  expect(source).not.toMatch(/OperationRegion|_STA/);
});

/** By ACPICA's disassembler, of which the kernel has the interpreter. */
function decompiled(table: Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), 'acpi-'));
  try {
    writeFileSync(join(directory, 'dsdt.aml'), table);
    const { status, stderr } = spawnSync('iasl', ['-d', 'dsdt.aml'], {
      cwd: directory,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`iasl: ${stderr}`);
    return readFileSync(join(directory, 'dsdt.dsl'), 'utf8');
  } finally {
    rmSync(directory, { recursive: true });
  }
}
