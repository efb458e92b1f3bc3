import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { sha384 } from './launch-digest.ts';
import { vmsaProfile } from './vmm.ts';
import { RESET_VECTOR, type VmsaProfile, vmsaPage } from './vmsa.ts';

const QEMU = vmsaProfile('qemu', 0x800f12, 'reset');
const EC2 = vmsaProfile('ec2', 0x600, 'zero');
const GCE = vmsaProfile('gce', 0x600, 'zero');
const FIRST = { first: true, eip: RESET_VECTOR, sevFeatures: 1n };
const OTHER = { first: false, eip: 0x80b004, sevFeatures: 1n };

describe('vmsaPage', () => {
  it.each([
    [
      'QEMU, first',
      QEMU,
      FIRST,
      '77920c4c629ff47e90c0e174fc1ad0eb6fa664f88cd4739488058a8c6cb1a77b3856f55378e9518d0da99452d51c553a',
    ],
    [
      'QEMU, others',
      QEMU,
      OTHER,
      '8413b852790765a310d95867a8b00bfca3a802b5a80830044b45e253fe96222657e11e53fcf63eb0e0afd722385bf7b4',
    ],
    [
      'EC2, first',
      EC2,
      FIRST,
      'd08442e8bcdb6a5dcd7f22e4f7fd6979beffb9f0bb54a9d1977407fe84f482abf23c1baae6ce95a6a9e7a94c3c51f412',
    ],
    [
      'EC2, others',
      EC2,
      OTHER,
      'acff2d22db95b8eb82272d844aa2ad1f8f84218ccbab003697acade12228a6e901256e160d41713c22fed92e0a1ed0e1',
    ],
    [
      'GCE, first',
      GCE,
      FIRST,
      'f9e03177dad7f4819ee193af7cfb70507d8a923ab513412e908bc73460a9dfdaa54215d58952816118ffb2ec281e7fd2',
    ],
    [
      'GCE, others',
      GCE,
      OTHER,
      '5302d262c88780a7a13159a327fa99cf188cab234c680e1f3b6729171380a4312511813a354cab136d69c778050c245a',
    ],
  ] as const)('builds the VMSA page of %s', (_, profile, state, hash) => {
    expect(toHex(sha384(vmsaPage(profile, state)))).toBe(hash);
  });

  it.each<[string, Partial<VmsaProfile>]>([
    ['csAttributes', { csAttributes: { first: 0x9a, others: 0x9b } }],
    ['ssAttributes', { ssAttributes: 0x92 }],
    ['trAttributes', { trAttributes: 0x83 }],
    ['rdx', { rdx: 0x800f10 }],
    ['gPat', { gPat: 1n }],
    ['mxcsr', { mxcsr: 0x1f00 }],
    ['fcw', { fcw: 0x37e }],
  ])('builds another VMSA page for another %s', (_, change) => {
    const changed = vmsaPage({ ...QEMU, ...change }, FIRST);
    expect(toHex(changed)).not.toBe(toHex(vmsaPage(QEMU, FIRST)));
  });

  it('writes the registers of a VMSA page at their offsets', () => {
    const registers = { rsp: 0x8ff0, rbp: 0x8ff1, rsi: 0x7000 };
    const view = new DataView(vmsaPage(QEMU, { ...FIRST, registers }).buffer);
    expect([0x1d8, 0x328, 0x330].map((at) => view.getUint32(at, true))).toEqual([
      0x8ff0, 0x8ff1, 0x7000,
    ]);
  });
});
