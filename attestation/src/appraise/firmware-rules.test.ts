import { STRICT_POLICY } from '@a3s-box/policies/attestation-policy';
import { describe, expect, it } from 'vitest';
import type { Claims } from '../verify/verified-claims.ts';
import { checkOf, failuresOf, HOST_DATA, MEASUREMENT, MILAN, TURIN } from './testing/specimen.ts';

const ACCEPTING = { measurements: [MEASUREMENT], hostData: HOST_DATA };
const OLD = { bl: 4, tee: 0, snp: 23, ucode: 219 };

describe.each([
  ['tcb-reported', 'minTcb', 'reportedTcb', []],
  ['tcb-launch', 'minLaunchTcb', 'launchTcb', []],
  ['tcb-committed', 'minCommittedTcb', 'committedTcb', ['provisional-firmware']],
] as const)('%s', (code, key, claim, also) => {
  it('passes a TCB that reaches the minimum of its class', () => {
    expect(checkOf(code)).toEqual({
      verdict: 'passed',
      expected: 'at least bl 4, tee 0, snp 24, ucode 213',
      actual: 'bl 4, tee 0, snp 24, ucode 219',
    });
    expect(checkOf(code, { base: TURIN })?.verdict).toBe('passed');
  });

  it('fails a TCB with a component below its minimum, whatever the others are', () => {
    expect(failuresOf({ claims: { [claim]: OLD } })).toEqual([code, ...also]);
    const newer = { ...MILAN.currentTcb, bl: 3, ucode: 255 };
    expect(checkOf(code, { claims: { [claim]: newer } })?.verdict).toBe('failed');
  });

  it('fails a Turin TCB whose FMC is below its minimum', () => {
    const claims = { [claim]: { ...TURIN.currentTcb, fmc: 0 } };
    expect(checkOf(code, { base: TURIN, claims })?.verdict).toBe('failed');
  });

  it('fails a TCB class for which the policy has no minimum', () => {
    const policy = { [key]: { genoa: { bl: 0, tee: 0, snp: 0, ucode: 0 } } };
    expect(checkOf(code, { policy })).toEqual({
      verdict: 'failed',
      expected: 'none: no minimum for milan',
      actual: 'bl 4, tee 0, snp 24, ucode 219',
    });
  });
});

describe('a minimum that the policy does not say', () => {
  const above = { milan: { ...MILAN.currentTcb, ucode: 220 } };
  const all = ['tcb-reported', 'tcb-launch', 'tcb-committed'];

  it('defaults the minimums of launch and committed TCB to that of the reported TCB', () => {
    expect(failuresOf({ policy: { minTcb: above } })).toEqual(all);
    expect(failuresOf({ policy: { ...STRICT_POLICY, ...ACCEPTING, minTcb: above } })).toEqual(all);
  });

  it('keeps an explicit minimum of the launch TCB', () => {
    const minLaunchTcb = { milan: MILAN.launchTcb };
    expect(failuresOf({ policy: { minTcb: above, minLaunchTcb } })).toEqual([
      'tcb-reported',
      'tcb-committed',
    ]);
  });
});

describe('the class of a TCB', () => {
  const bergamo = { bl: 10, tee: 0, snp: 27, ucode: 27 };
  const claims: Partial<Claims> = {
    product: 'Genoa',
    currentTcb: bergamo,
    reportedTcb: bergamo,
    launchTcb: bergamo,
    committedTcb: bergamo,
  };

  it('accepts the microcode of Bergamo and Siena by their own minimum', () => {
    expect(failuresOf({ claims: { ...claims, tcbClass: 'bergamo_siena' } })).toEqual([]);
  });

  it('does not apply the microcode minimum of Bergamo and Siena to Genoa', () => {
    expect(failuresOf({ claims: { ...claims, tcbClass: 'genoa' } })).toEqual([
      'tcb-reported',
      'tcb-launch',
      'tcb-committed',
    ]);
  });
});

describe('tcb-order', () => {
  const current = { bl: 4, tee: 0, snp: 24, ucode: 220 };
  const committed = { ...current, ucode: 219 };
  const reported = { ...current, ucode: 217 };

  it('passes reported below committed below current TCB, as EC2 hosts have it', () => {
    const claims = { reportedTcb: reported, committedTcb: committed, currentTcb: current };
    expect(checkOf('tcb-order', { claims })?.verdict).toBe('passed');
  });

  it('fails a reported TCB above the current one', () => {
    const claims = { reportedTcb: { ...MILAN.currentTcb, ucode: 220 } };
    expect(failuresOf({ claims })).toEqual(['tcb-order']);
    expect(checkOf('tcb-order', { claims })?.actual).toBe(
      'reported bl 4, tee 0, snp 24, ucode 220; committed bl 4, tee 0, snp 24, ucode 219',
    );
  });

  it('fails a committed TCB above the current one', () => {
    const claims = { committedTcb: { ...MILAN.currentTcb, ucode: 220 } };
    const policy = { permitProvisionalFirmware: true };
    expect(failuresOf({ claims, policy })).toEqual(['tcb-order', 'provisional-firmware']);
  });
});

describe('provisional-firmware', () => {
  const older = { claims: { committedVersion: { major: 1, minor: 55, build: 28 } } };
  const permit = { permitProvisionalFirmware: true };

  it('passes firmware that is committed', () => {
    expect(checkOf('provisional-firmware')).toEqual({
      verdict: 'passed',
      expected: 'committed 1.55.29 (bl 4, tee 0, snp 24, ucode 219), as current',
      actual: 'committed 1.55.29 (bl 4, tee 0, snp 24, ucode 219)',
    });
  });

  it('fails firmware whose version or TCB can be rolled back', () => {
    expect(failuresOf(older)).toEqual(['provisional-firmware']);
    const claims = { committedTcb: { ...MILAN.currentTcb, ucode: 213 } };
    expect(failuresOf({ claims })).toEqual(['provisional-firmware']);
  });

  it('passes provisional firmware where the policy permits it', () => {
    expect(checkOf('provisional-firmware', { ...older, policy: permit })?.verdict).toBe('passed');
  });

  it('fails committed firmware above the current one, even where provisional firmware is permitted', () => {
    const claims = { committedVersion: { major: 1, minor: 55, build: 30 } };
    expect(failuresOf({ claims, policy: permit })).toEqual(['provisional-firmware']);
  });
});

describe('firmware-version', () => {
  const version = (major: number, minor: number, build: number) => ({
    claims: {
      currentVersion: { major, minor, build },
      committedVersion: { major, minor, build },
    },
  });

  it.each([
    ['1.55', 1, 55, 0],
    ['1.55.22', 1, 55, 22],
    ['1.55.22', 1, 56, 0],
    ['1.55.22', 2, 0, 0],
  ])('passes firmware at or above the minimum %s: %i.%i.%i', (minFirmware, ...numbers) => {
    const specimen = { ...version(...numbers), policy: { minFirmware } };
    expect(checkOf('firmware-version', specimen)?.verdict).toBe('passed');
  });

  it.each([
    ['1.55', 1, 54, 255],
    ['1.55.22', 1, 55, 21],
    ['1.55.22', 0, 99, 99],
  ])('fails firmware below the minimum %s: %i.%i.%i', (minFirmware, ...numbers) => {
    const specimen = { ...version(...numbers), policy: { minFirmware } };
    expect(failuresOf(specimen)).toEqual(['firmware-version']);
  });

  it('fails firmware of which only the committed version is below the minimum', () => {
    const claims = { committedVersion: { major: 1, minor: 54, build: 9 } };
    const specimen = { claims, policy: { permitProvisionalFirmware: true } };
    expect(checkOf('firmware-version', specimen)).toEqual({
      verdict: 'failed',
      expected: 'at least 1.55',
      actual: 'current 1.55.29, committed 1.54.9',
    });
  });
});

describe.each([
  ['mitigations-launch', 'launchMitVector'],
  ['mitigations-current', 'currentMitVector'],
] as const)('%s', (code, claim) => {
  const policy = { minMitigationVector: '0xb' };

  it('passes a mitigation vector with at least the required bits', () => {
    expect(checkOf(code, { base: TURIN, policy })).toEqual({
      verdict: 'passed',
      expected: 'all bits of 0xb',
      actual: '0x3f',
    });
  });

  it('fails a mitigation vector that lacks a required bit, even if it is a larger number', () => {
    const claims = { [claim]: 0x34n };
    expect(failuresOf({ base: TURIN, claims, policy })).toEqual([code]);
  });

  it('fails a report without mitigation vectors where the policy requires bits', () => {
    expect(checkOf(code, { policy })?.verdict).toBe('failed');
    expect(checkOf(code, { policy })?.actual).toBe('not reported before version 5');
  });

  it('skips the mitigation vector where the policy requires no bits', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
  });
});
