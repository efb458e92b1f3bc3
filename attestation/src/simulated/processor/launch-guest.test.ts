import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../hex.ts';
import type { IdBlock } from '../../measure/id-block/id-block.ts';
import { signIdBlock } from '../../measure/id-block/id-sign.ts';
import { measureOvmf } from '../../measure/measure.ts';
import { parseReport } from '../../report/parse.ts';
import { claimsOf } from '../../report/parsed-report.ts';
import { LAUNCH, REPORT_DATA, testGuest } from '../testing/guest.ts';
import type { LaunchIdentity } from './identify.ts';
import type { SimulatedLaunch } from './launch-guest.ts';
import type { SimulatedProcessorOptions } from './processor.ts';

function launched(launch: Partial<SimulatedLaunch>, options: SimulatedProcessorOptions = {}) {
  const { report } = testGuest(options, launch).report({ reportData: REPORT_DATA });
  return claimsOf(parseReport(report));
}

function expectRefused(launch: Partial<SimulatedLaunch>, message: RegExp): void {
  expect(() => testGuest({}, launch)).toThrow(
    expect.objectContaining({
      code: 'simulated-request',
      message: expect.stringMatching(message),
    }),
  );
}

describe('a launch', () => {
  it('measures a simulated launch as hardware does', () => {
    const { digest } = measureOvmf(LAUNCH.inputs);
    expect(testGuest().measurement).toBe(digest);
    const inputs = { ...LAUNCH.inputs, append: 'init=/bin/sh' };
    expect(testGuest({}, { inputs }).measurement).toBe(measureOvmf(inputs).digest);
    expect(measureOvmf(inputs).digest).not.toBe(digest);
  });

  it('reports the measurement, HOST_DATA and policy of the launch', () => {
    const claims = launched({ policy: 0x2030000n });
    expect(claims.measurement).toBe(measureOvmf(LAUNCH.inputs).digest);
    expect(claims.hostData).toBe('da'.repeat(32));
    expect(claims.policy.raw).toBe(0x2030000n);
    expect(launched({}).policy.raw).toBe(0x30000n);
  });

  it('copies the HOST_DATA of a launch', () => {
    const hostData = new Uint8Array(32).fill(1);
    const guest = testGuest({}, { hostData });
    hostData.fill(2);
    const { report } = guest.report({ reportData: REPORT_DATA });
    expect(claimsOf(parseReport(report)).hostData).toBe('01'.repeat(32));
  });

  it('reports another REPORT_ID for each launched guest', () => {
    expect(launched({}).reportId).not.toBe(launched({}).reportId);
  });

  it('refuses to launch with HOST_DATA of other than 32 bytes', () => {
    for (const size of [0, 31, 33, 64]) {
      expectRefused({ hostData: new Uint8Array(size) }, /HOST_DATA must have exactly 32 bytes/);
    }
    expectRefused({ hostData: 'da'.repeat(16) as unknown as Uint8Array }, /HOST_DATA/);
  });

  it('refuses to launch with a policy without bit 17, with unknown bits, or above 64 bits', () => {
    for (const policy of [0n, 0x10000n, 0x4030000n, 1n << 63n]) {
      expectRefused({ policy }, /POLICY must set bit 17/);
    }
    for (const policy of [-1n, 1n << 64n]) expectRefused({ policy }, /POLICY is out of range/);
  });

  it('refuses to launch with a policy that the platform does not meet', () => {
    expectRefused({ policy: 0x30138n }, /does not meet POLICY: a newer ABI/);
    expectRefused({ policy: 0x30200n }, /a newer ABI/);
    expectRefused({ policy: 0x830000n }, /RAPL disabled/);
    expectRefused({ policy: 0x1830000n }, /RAPL disabled, ciphertext hiding/);
    expect(() => testGuest({ platformInfo: 0x25n }, { policy: 0x20000n })).toThrow(/SMT off/);
  });

  it('launches with a policy that the platform meets', () => {
    expect(launched({ policy: 0x20137n }).policy.abiMinor).toBe(0x37);
    expect(launched({ policy: 0x30037n }).policy.abiMajor).toBe(0);
    expect(launched({ policy: 0x1830000n }, { platformInfo: 0x3cn }).policy.raplDis).toBe(true);
    expect(launched({ policy: 0x30000n }, { platformInfo: 0x25n }).platformInfo.smtEn).toBe(true);
  });

  it('refuses to launch inputs that cannot be measured', () => {
    const inputs = { ...LAUNCH.inputs, vcpus: 0 };
    expect(() => testGuest({}, { inputs })).toThrow(
      expect.objectContaining({ code: 'measure-input' }),
    );
  });
});

const key = () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey;
const BLOCK: IdBlock = {
  launchDigest: Buffer.from(measureOvmf(LAUNCH.inputs).digest, 'hex'),
  familyId: new Uint8Array(16).fill(0xfa),
  imageId: new Uint8Array(16).fill(0x1a),
  guestSvn: 7,
  policy: 0x30000n,
};

describe('a launch with an ID block', () => {
  it('reports the identity in the ID block and the digest of its key', () => {
    const { idKeyDigest, ...id } = signIdBlock({ idBlock: BLOCK, idKey: key() });
    expect(launched({ id })).toMatchObject({
      familyId: 'fa'.repeat(16),
      imageId: '1a'.repeat(16),
      guestSvn: 7,
      idKeyDigest: toHex(idKeyDigest),
      authorKeyDigest: '00'.repeat(48),
      keyInfo: { authorKeyEn: false },
    });
    expect(launched({})).toMatchObject({
      familyId: '00'.repeat(16),
      guestSvn: 0,
      idKeyDigest: '00'.repeat(48),
    });
  });

  it('reports the author key only where it is enabled', () => {
    const signed = signIdBlock({ idBlock: BLOCK, idKey: key(), authorKey: key() });
    const authorKeyDigest = toHex(signed.authorKeyDigest ?? new Uint8Array());
    const id: LaunchIdentity = { ...signed, authorKeyEnabled: true };
    expect(launched({ id })).toMatchObject({ authorKeyDigest, keyInfo: { authorKeyEn: true } });
    expect(launched({ id: { ...id, authorKeyEnabled: false } }).authorKeyDigest).toMatch(/^0+$/);
  });

  it('refuses to launch with an enabled author key but no author signature', () => {
    const id = { ...signIdBlock({ idBlock: BLOCK, idKey: key() }), authorKeyEnabled: true };
    expectRefused({ id }, /no author key signed/);
  });

  it('refuses to launch with the ID block of another guest or policy', () => {
    const of = (change: Partial<IdBlock>) =>
      signIdBlock({ idBlock: { ...BLOCK, ...change }, idKey: key() });
    expectRefused({ id: of({ launchDigest: new Uint8Array(48) }) }, /of another guest/);
    expectRefused({ id: of({ policy: 0xb0000n }) }, /of another policy/);
  });

  it('refuses to launch with any byte of the ID block or its signatures changed', () => {
    const { idBlock, idAuth } = signIdBlock({ idBlock: BLOCK, idKey: key(), authorKey: key() });
    const flip = (bytes: Uint8Array, at: number) =>
      bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
    expectRefused({ id: { idBlock: flip(idBlock, 84), idAuth } }, /not one that its keys signed/);
    for (const at of [0x40, 0x680]) {
      expectRefused({ id: { idBlock, idAuth: flip(idAuth, at) } }, /not one that its keys signed/);
    }
    expectRefused(
      { id: { idBlock: idBlock.subarray(1), idAuth } },
      /ID block must have exactly 96/,
    );
    expectRefused({ id: { idBlock, idAuth: idAuth.subarray(1) } }, /must have exactly 4096/);
  });
});
