// Tests native/firmware/platform.py with minimal descriptions.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const PROGRAM = resolve('native/firmware/platform.py');
const MODULES = '# the reason\nPkg/Core/Core.inf\n\nPkg/Table/Table.inf\n';

const DSC = `[Defines]
  FLASH_DEFINITION               = OvmfPkg/AmdSev/AmdSevX64.fdf
  PREBUILD                       = sh OvmfPkg/AmdSev/Grub/grub.sh

[BuildOptions]
  GCC:RELEASE_*_*_CC_FLAGS             = -DMDEPKG_NDEBUG

[LibraryClasses.common.PEIM]
  QemuFwCfgS3Lib|OvmfPkg/Library/QemuFwCfgS3Lib/PeiQemuFwCfgS3LibFwCfg.inf
  OpensslLib|CryptoPkg/Library/OpensslLib/OpensslLibCrypto.inf

[PcdsFixedAtBuild]
  gEfiMdePkgTokenSpaceGuid.PcdDebugPrintErrorLevel|0x8000004F
  gEfiMdePkgTokenSpaceGuid.PcdDebugPropertyMask|0x2F

[Components]
  Pkg/Core/Core.inf {
    <LibraryClasses>
      NULL|Pkg/Library/Decompress/Decompress.inf
  }
  Pkg/Disk/Disk.inf {
    <LibraryClasses>
      NULL|Pkg/Library/Disk/Disk.inf
  }
!if $(SHELL) == TRUE
  Pkg/Shell/Shell.inf
!endif
  Pkg/Table/Table.inf
!include OvmfPkg/Include/Dsc/OvmfRngComponents.dsc.inc
`;

const FDF = `[FD.OVMF]
0x000000|0x006000
!include OvmfPkg/Include/Fdf/VarStore.fdf.inc

[FV.DXEFV]
APRIORI DXE {
  INF  Pkg/Table/Table.inf
  INF  Pkg/Disk/Disk.inf
}
INF  Pkg/Core/Core.inf
INF  RuleOverride=BINARY Pkg/Disk/Disk.inf
INF  Pkg/Table/Table.inf
!include OvmfPkg/Include/Fdf/ShellDxe.fdf.inc
!include OvmfPkg/Include/Fdf/OvmfRngDxe.fdf.inc

[Rule.Common.SEC]
  FILE SEC = $(NAMED_GUID) {
  }
`;

let root: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'platform-'));
  folder = join(root, 'OvmfPkg/AmdSev');
  mkdirSync(folder, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

function describePlatform(dsc: string, fdf: string, modules = MODULES) {
  writeFileSync(join(folder, 'AmdSevX64.dsc'), dsc);
  writeFileSync(join(folder, 'AmdSevX64.fdf'), fdf);
  writeFileSync(join(root, 'modules.txt'), modules);
  const { status, stderr } = spawnSync('python3', [PROGRAM, root, join(root, 'modules.txt')], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  return { status, stderr };
}

const written = (name: string): string => readFileSync(join(folder, name), 'utf8');

it('keeps the listed firmware modules with their libraries, and adds the modules of A3S Box', () => {
  expect(describePlatform(DSC, FDF)).toMatchObject({ status: 0 });
  const dsc = written('A3sBox.dsc');
  expect(dsc).toContain('= OvmfPkg/AmdSev/A3sBox.fdf');
  expect(dsc).toContain('QemuFwCfgS3Lib/BaseQemuFwCfgS3LibNull.inf');
  expect(dsc).toContain('NULL|Pkg/Library/Decompress/Decompress.inf');
  expect(dsc).toContain('  A3sBox/KernelDxe/KernelDxe.inf');
  expect(dsc).not.toMatch(/Disk|Shell|grub|!include|!if/);
  // Assertions are enabled, and a failed one ends the boot.
  expect(dsc).not.toContain('MDEPKG_NDEBUG');
  expect(dsc).toContain('PcdDebugPropertyMask|0x21');
  // Hashes by the processor's instructions, and page tables that take no time.
  expect(dsc).toContain('OpensslLib/OpensslLibAccel.inf');
  expect(dsc).toContain('PcdUse1GPageTable|TRUE');
});

it('leaves every other firmware module out of the image, wherever it is listed', () => {
  describePlatform(DSC, FDF);
  const fdf = written('A3sBox.fdf');
  expect(fdf.match(/^\s*INF .*$/gm)).toEqual([
    '  INF  Pkg/Table/Table.inf',
    'INF  Pkg/Core/Core.inf',
    'INF  Pkg/Table/Table.inf',
    'INF SecurityPkg/RandomNumberGenerator/RngDxe/RngDxe.inf',
    'INF A3sBox/AcpiDxe/AcpiDxe.inf',
    'INF A3sBox/KernelDxe/KernelDxe.inf',
  ]);
  expect(fdf).not.toContain('ShellDxe');
  expect(fdf).toContain('!include OvmfPkg/Include/Fdf/VarStore.fdf.inc');
  expect(fdf).toContain('FILE SEC = $(NAMED_GUID) {');
});

const UNEXPECTED: Readonly<Record<string, () => { status: number | null; stderr: string }>> = {
  'a kept module is not described': () =>
    describePlatform(DSC.replace('Pkg/Table', 'Pkg/Other'), FDF),
  'a kept module is not in the image': () =>
    describePlatform(DSC, FDF.replaceAll('Pkg/Core', 'Pkg/Other')),
  'the description names another image': () =>
    describePlatform(DSC.replace('AmdSevX64.fdf', 'Other.fdf'), FDF),
  'a boot loader is no longer built first': () =>
    describePlatform(DSC.replace('PREBUILD', 'POSTBUILD'), FDF),
  'support for suspending is elsewhere': () =>
    describePlatform(DSC.replace('PeiQemuFwCfgS3LibFwCfg', 'Other'), FDF),
  'random numbers are described elsewhere': () =>
    describePlatform(DSC.replace('OvmfRngComponents', 'Other'), FDF),
  'random numbers are in the image twice': () =>
    describePlatform(DSC, `${FDF}!include OvmfPkg/Include/Fdf/OvmfRngDxe.fdf.inc\n`),
  'hashes are computed elsewhere': () =>
    describePlatform(DSC.replace('OpensslLibCrypto', 'Other'), FDF),
  'assertions are left out elsewhere': () =>
    describePlatform(DSC.replace('MDEPKG_NDEBUG', 'NDEBUG'), FDF),
  'a module is written in a way that is not known': () =>
    describePlatform(DSC, FDF.replace('INF  Pkg/Core', 'INF  USE=X64 Pkg/Core')),
  'a file is in a volume that is no module': () =>
    describePlatform(DSC, FDF.replace('INF  Pkg/Core', 'FILE FREEFORM = 1 {\n}\nINF  Pkg/Core')),
  'a kept module is there under a condition': () =>
    describePlatform(
      DSC,
      FDF.replace('INF  Pkg/Core/Core.inf', '!if $(X)\nINF  Pkg/Core/Core.inf\n!endif'),
    ),
  'a block does not end': () =>
    describePlatform(DSC.slice(0, DSC.lastIndexOf('Disk.inf') + 'Disk.inf\n'.length), FDF),
};

it.each(Object.entries(UNEXPECTED))('fails to describe the firmware platform when %s', (_, run) => {
  expect(describePlatform(DSC, FDF)).toMatchObject({ status: 0 });
  expect(run()).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('cannot describe the platform'),
  });
});
