import { expect, it } from 'vitest';
import { reportTees, type SnpFindings, snpLacks } from './tees.ts';

const COMPLETE: SnpFindings = {
  cpuinfo: 'flags\t\t: fpu sev sev_es sev_snp\n',
  parameter: 'Y\n',
  device: 'open',
  iommu: true,
  kvm: true,
  vmmObjects: ['rng-random', 'sev-snp-guest'],
  firmware: true,
};

const lacks = (changes: Partial<SnpFindings>) => snpLacks({ ...COMPLETE, ...changes });

it('finds nothing missing on a host with SEV-SNP', () => {
  expect(lacks({})).toEqual([]);
});

it('names everything that a host lacks for SEV-SNP', () => {
  expect(
    lacks({
      cpuinfo: 'flags\t\t: fpu sev\n',
      parameter: undefined,
      device: 'absent',
      iommu: false,
      kvm: false,
      vmmObjects: ['sev-guest'],
      firmware: false,
    }),
  ).toEqual([
    'the CPU has no sev_snp flag',
    'the kernel module kvm_amd is not loaded',
    'no IOMMU is active, which SEV-SNP cannot do without',
    'there is no /dev/sev',
    'KVM does not work',
    'QEMU has no sev-snp-guest (9.1 or newer has)',
    'the boot set has no firmware for confidential boxes',
  ]);
});

it('distinguishes a disabled module and a closed device from missing ones', () => {
  expect(lacks({ parameter: 'N\n' })).toEqual(['kvm_amd has SEV-SNP switched off']);
  expect(lacks({ device: 'closed' })).toEqual(['/dev/sev may not be opened by this user']);
  expect(lacks({ device: 'ours' })).toEqual([
    '/dev/sev may not be opened by the users that VMMs run as (mode 0666 lets them)',
  ]);
});

it('offers simulation wherever there is firmware for it, and says that it protects nothing', async () => {
  const simulated = async (host: Parameters<typeof reportTees>[0]) =>
    (await reportTees(host)).find(({ name }) => name === 'simulated');
  expect(await simulated({ kvm: false, vmmObjects: [], firmware: true })).toEqual({
    name: 'simulated',
    available: true,
    reason: expect.stringMatching(/^SIMULATED, NOT HARDWARE: it protects nothing/),
  });
  expect(await simulated({ kvm: true, vmmObjects: [], firmware: false })).toMatchObject({
    available: false,
    reason: expect.stringMatching(/firmware/),
  });
  expect(await simulated({ kvm: false, vmmObjects: undefined, firmware: true })).toMatchObject({
    available: false,
  });
});
