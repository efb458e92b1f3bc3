import { expect, it } from 'vitest';
import { snpLacks } from './tees.ts';

it('finds nothing missing on a host with SEV-SNP', () => {
  expect(snpLacks('flags\t\t: fpu sev sev_es sev_snp\n', 'Y\n', true)).toEqual([]);
});

it('names each thing that is missing', () => {
  expect(snpLacks('flags\t\t: fpu sev\n', undefined, false)).toEqual([
    'the CPU has no sev_snp flag',
    'the kernel module kvm_amd is not loaded',
    'there is no /dev/sev',
  ]);
  expect(snpLacks('flags\t\t: sev_snp\n', 'N\n', true)).toEqual([
    'kvm_amd has SEV-SNP switched off',
  ]);
});
