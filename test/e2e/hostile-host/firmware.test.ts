// A host that starts the VMM by itself, with whatever arguments it likes, and the firmware of the
// boot set: it boots what was measured and nothing else, and what its kernel is given is the same
// whatever the host offers.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kernelHashes, kernelHashTable, parseOvmf } from '@a3s-box/attestation/measure';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfidentialSpec } from '../../../src/engine/qemu/confidential/plan.ts';
import { SOAK } from '../soak.ts';
import { confidentialPlace, flipped } from '../support/confidential-vm.ts';
import { efiProgram, optionRom } from '../support/efi-program.ts';
import {
  type BootOptions,
  bootFirmware,
  factsInitrd,
  type HandedOver,
} from '../support/firmware-boot.ts';
import { scaled } from '../time-scale.ts';

const BOOT_MS = scaled(120_000);

/** What code of the host says, wherever it runs. */
const HOST_CODE = 'CODE OF THE HOST\n';

/**
 * A firmware that takes what a host offers, and a flash with its variables, from Debian's package
 * `ovmf`.
 */
const TAKING_FIRMWARE = '/usr/share/ovmf/OVMF.fd';
const VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** SMBIOS type 11, with one string (DMTF DSP0134, 7.12). */
const OEM_STRINGS = Buffer.from('\x0b\x05\x00\x11\x01HOST\0\0', 'latin1');

let root: string;
let spec: ConfidentialSpec;
let measured: HandedOver;
/** What the guest says when the host offers nothing. */
let facts: string;

beforeAll(async () => {
  ({ root, spec } = await confidentialPlace('c2'.repeat(32)));
  measured = handOver(readFileSync(spec.confidential.firmwarePath), spec.boot.commandLine);
  facts = await boot(measured);
});
afterAll(() => rm(root, { recursive: true }));

function handOver(firmware: Uint8Array, commandLine: readonly string[]): HandedOver {
  const kernel = new Uint8Array(readFileSync(spec.boot.kernelPath));
  const initrd = factsInitrd(join(root, 'facts'));
  const bytes = kernelHashTable(kernelHashes(kernel, initrd, commandLine.join(' ')));
  const address = parseOvmf(firmware).hashTableGpa ?? 0;
  return { firmware, kernel, initrd, table: { bytes, address } };
}

/** What the debug port has printed. */
async function boot(
  handed: HandedOver,
  options: BootOptions = {},
  changes: Partial<ConfidentialSpec> = {},
): Promise<string> {
  const own = { ...spec, runtimeDir: join(root, 'fw'), disks: [], ...changes };
  return await bootFirmware(own, handed, AbortSignal.timeout(BOOT_MS), options);
}

function file(name: string, bytes: string | Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, bytes);
  return path;
}

function compiledTable(name: string, source: string): string {
  execFileSync('iasl', ['-p', join(root, name), file(`${name}.asl`, source)], { stdio: 'ignore' });
  return join(root, `${name}.aml`);
}

/**
 * A table whose code says that it ran; with `memory`, that it wrote to the guest's memory and read
 * it there.
 */
function hostTable(name: string, memory: boolean): string {
  const speak = [...HOST_CODE]
    .map((letter) => `D = 0x${letter.charCodeAt(0).toString(16)}`)
    .join(' ');
  const write = `
    OperationRegion (MEM, SystemMemory, 0x100000, 0x1000)
    Field (MEM, DWordAcc, NoLock, Preserve) { Offset(0x10), A, 32 }
    A = 0x54534f48
    If (A == 0x54534f48) { ${speak} }`;
  return compiledTable(
    name,
    `DefinitionBlock ("", "SSDT", 2, "HOST", "${name.toUpperCase()}", 1)
     {
       Device (\\_SB.${name.toUpperCase()})
       {
         Name (_HID, "HOST0001")
         Method (_STA) { Return (0x0F) }
         Method (_INI, 0, Serialized)
         {
           OperationRegion (DBG, SystemIO, 0x402, 1)
           Field (DBG, ByteAcc, NoLock, Preserve) { D, 8 }
           ${memory ? write : speak}
         }
       }
     }`,
  );
}

/** A disk that firmware which boots from disks boots from. */
function bootDisk(): string[] {
  const folder = join(root, 'esp', 'EFI', 'BOOT');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'BOOTX64.EFI'), efiProgram(HOST_CODE));
  return [
    ...['-blockdev', `vvfat,node-name=esp,dir=${join(root, 'esp')},read-only=on`],
    ...['-device', 'virtio-blk-pci,drive=esp,bootindex=1'],
  ];
}

/** A card whose driver is in its ROM. */
function cardWithRom(): string[] {
  const rom = file('rom', optionRom(HOST_CODE, { vendor: 0x8086, device: 0x10d3 }));
  return ['-device', `e1000e,romfile=${rom}`];
}

/** A copy that the VMM may write to. */
function variables(): string {
  return file('variables', readFileSync(VARIABLES));
}

const shim = (): string[] => ['-shim', file('shim', efiProgram(HOST_CODE))];

it('the firmware gives its kernel the measured command line, its own ACPI tables and nothing else', () => {
  const lines = facts.split('\n');
  expect(lines[0]).toBe('init');
  expect(lines[1]).toBe(`cmdline ${spec.boot.commandLine.join(' ')}`);
  const tables = lines.filter((line) => line.startsWith('acpi ')).map((line) => line.split(' ')[1]);
  expect(tables).toEqual(['APIC', 'DSDT', 'FACP', 'FACS']);
  expect(lines.filter((line) => line.startsWith('efi '))).toEqual(['efi ACPI20', 'efi ACPI']);
  expect(lines).toContain('dmi no');
});

it('the firmware describes the processors that it started', async () => {
  expect(facts).toContain('cpus 0\n');
  expect(await boot(measured, {}, { cpus: 2 })).toContain('cpus 0-1\n');
});

it('a kernel that writes to the console of the firmware boots, and nothing is shown', async () => {
  // Without `quiet` the EFI stub writes what it does there.
  const loud = spec.boot.commandLine.filter((word) => word !== 'quiet');
  expect(loud.length).toBe(spec.boot.commandLine.length - 1);
  const said = await boot(
    handOver(measured.firmware, loud),
    {},
    { boot: { ...spec.boot, commandLine: loud } },
  );
  const [first, commandLine, ...others] = said.split('\n');
  expect([first, commandLine]).toEqual(['init', `cmdline ${loud.join(' ')}`]);
  expect(others).toEqual(facts.split('\n').slice(2));
});

const CHANGES = {
  'another kernel': (handed) => ({
    ...handed,
    kernel: flipped(handed.kernel, handed.kernel.length >> 1),
  }),
  'another initrd': (handed) => ({
    ...handed,
    initrd: flipped(handed.initrd, handed.initrd.length - 600),
  }),
  'another table of hashes': (handed) => ({
    ...handed,
    table: handed.table && { ...handed.table, bytes: flipped(handed.table.bytes, 100) },
  }),
  'a table of hashes that it does not know': (handed) => ({
    ...handed,
    table: handed.table && { ...handed.table, bytes: flipped(handed.table.bytes, 0) },
  }),
  'a table of hashes with an entry that it does not know': (handed) => ({
    ...handed,
    table: handed.table && { ...handed.table, bytes: flipped(handed.table.bytes, 20) },
  }),
  'no table of hashes': (handed) => ({ ...handed, table: undefined }),
} satisfies Record<string, (handed: HandedOver) => HandedOver>;

it.each(Object.entries(CHANGES))('the firmware powers off for %s', async (_, change) => {
  expect(await boot(change(measured))).toBe('');
});

it('the firmware powers off for another command line', async () => {
  const commandLine = [...spec.boot.commandLine, 'debug'];
  expect(await boot(measured, {}, { boot: { ...spec.boot, commandLine } })).toBe('');
});

/** A VM without devices: one of another kind has no place for them. */
const machine = (kind: string): BootOptions => ({
  without: ['-machine', '-device'],
  extra: ['-machine', `${kind},memory-backend=memory`],
});

/** Before there is memory, nothing can switch a VM off. */
it.each<[string, BootOptions, Partial<ConfidentialSpec>]>([
  ['another host bridge', { ...machine('pc'), halts: true }, {}],
  ['less memory than it needs', { halts: true }, { memoryBytes: 64 * 2 ** 20 }],
])('the firmware boots nothing with %s', async (_, options, changes) => {
  expect(await boot(measured, options, changes)).toBe('');
});

it('the firmware powers off on a bare q35 machine type, where it finds no table of hashes', async () => {
  expect(await boot(measured, machine('q35'))).toBe('');
});

/** Blobs that firmware of edk2 takes by name, and one that it does not know. */
const BLOBS: Readonly<Record<string, () => string[]>> = {
  'a shim': shim,
  'a named initrd': () => ['-fw_cfg', `name=etc/boot/initrd,file=${file('blob', 'initrd')}`],
  'a named command line': () => ['-fw_cfg', 'name=etc/boot/cmdline,string=init=/bin/sh'],
  'a named blob of no known kind': () => ['-fw_cfg', 'name=etc/boot/other,string=other'],
  'a name that begins as the kernel does': () => ['-fw_cfg', 'name=etc/boot/kernel2,string=other'],
};

/** The first and the last: all of them take one way through the firmware. */
const TRIED_BLOBS = Object.entries(BLOBS).filter(
  (_, index, { length }) => SOAK || index === 0 || index === length - 1,
);

it.each(TRIED_BLOBS)('the firmware powers off for %s', async (_, extra) => {
  expect(await boot(measured, { extra: extra() })).toBe('');
});

/** What the host may offer, and what a firmware that uses it would run or believe. */
const OFFERED = {
  'ACPI tables with code that writes memory, or that only speaks': () => ({
    extra: [
      ...['-acpitable', `file=${hostTable('hst0', true)}`],
      ...['-acpitable', `file=${hostTable('hst1', false)}`],
    ],
  }),
  'SMBIOS tables, by field and as a file': () => ({
    extra: [
      ...['-smbios', 'type=1,manufacturer=HOST,product=HOST'],
      ...['-smbios', `file=${file('smbios', OEM_STRINGS)}`],
    ],
  }),
  'a card with an option ROM, a network and a disk to boot from in the boot order': () => ({
    extra: [
      ...cardWithRom(),
      ...bootDisk(),
      ...['-netdev', 'user,id=boot', '-device', 'virtio-net-pci,netdev=boot,bootindex=2'],
      ...['-boot', 'order=dcn,menu=on,strict=on'],
    ],
  }),
  'flash with EFI variables': () => ({
    without: ['-bios'],
    extra: [
      ...[
        '-blockdev',
        'raw,node-name=code,read-only=on,file.driver=file,file.filename=/proc/self/fd/3',
      ],
      ...['-blockdev', `raw,node-name=variables,file.driver=file,file.filename=${variables()}`],
      ...['-machine', 'pflash0=code,pflash1=variables'],
    ],
  }),
  'settings of edk2': () => ({
    extra: [
      ...['-fw_cfg', 'name=opt/ovmf/X-PciMmio64Mb,string=32768'],
      ...['-fw_cfg', 'name=opt/ovmf/PcdSetNxForStack,string=y'],
      ...['-fw_cfg', 'name=opt/org.tianocode/PagingLevel,string=5'],
      ...['-fw_cfg', 'name=opt/org.tianocore/UninstallMemAttrProtocol,string=y'],
      ...['-fw_cfg', 'name=opt/org.tianocore/X-Cpuhp-Bugcheck-Override,string=yes'],
      ...['-fw_cfg', `name=opt/org.tianocode/sp800155evt/0,string=${'x'.repeat(300)}`],
      ...[
        '-fw_cfg',
        `name=etc/hardware-info,file=${file('hardware', new Uint8Array(4096).fill(1))}`,
      ],
    ],
  }),
  'devices that no box has': () => ({
    extra: [
      ...['-device', 'VGA', '-device', 'qemu-xhci', '-device', 'usb-kbd'],
      ...['-device', 'virtio-gpu-pci', '-device', 'virtio-balloon-pci', '-device', 'i6300esb'],
      ...['-device', 'isa-serial', '-device', 'vmcoreinfo', '-device', 'pvpanic'],
      ...['-device', 'vmgenid', '-device', 'pcie-root-port,id=rp0,chassis=1'],
    ],
  }),
} satisfies Readonly<Record<string, () => BootOptions>>;

/** Each is a boot of ten seconds. Outside a soak, those that leave no argument out share one. */
const OFFERS: Readonly<Record<string, () => BootOptions>> = SOAK
  ? OFFERED
  : {
      'flash with EFI variables': OFFERED['flash with EFI variables'],
      'all else that it ignores, at once': () => ({
        extra: Object.values(OFFERED)
          .map((options) => options())
          .filter((options) => !('without' in options))
          .flatMap(({ extra }) => extra),
      }),
    };

describe('offers of the host that firmware ignores', () => {
  it.each(Object.entries(OFFERS))(
    'the firmware boots the same kernel, and runs no code of the host, when offered %s',
    async (_, options) => {
      expect(await boot(measured, options())).toBe(facts);
    },
  );
});

describe('a firmware that accepts offers of the host', () => {
  const until = new RegExp(HOST_CODE);
  const taking = (): HandedOver => ({
    ...measured,
    firmware: readFileSync(TAKING_FIRMWARE),
    table: undefined,
  });

  // So it is these programs that the firmware of the boot set does not run, and no broken ones.
  const programs: readonly (readonly [string, () => BootOptions])[] = [
    ['a shim', () => ({ extra: shim() })],
    [
      'a disk to boot from',
      () => ({ extra: bootDisk(), without: ['-kernel', '-initrd', '-append'] }),
    ],
    ['the option ROM of a card', () => ({ extra: cardWithRom() })],
    [
      'an ACPI table, which writes memory',
      () => ({ extra: ['-acpitable', `file=${hostTable('hst2', true)}`] }),
    ],
  ];

  it.each(SOAK ? programs : programs.slice(-1))(
    'another firmware runs the host’s code in %s',
    async (_, options) => {
      expect(await boot(taking(), { ...options(), until })).toContain(HOST_CODE);
    },
  );
});
