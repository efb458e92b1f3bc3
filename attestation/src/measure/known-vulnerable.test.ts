import { KNOWN_VULNERABLE } from '@a3s-box/policies/known-vulnerable';
import { describe, expect, it } from 'vitest';
import { vulnerableLaunch } from './known-vulnerable.ts';
import { launchRecordOf } from './launch-record.ts';
import { affectedLaunch } from './testing/affected-launch.ts';
import { SIGNED_LAUNCH } from './testing/known-launches.ts';

const TEES = ['snp', 'simulated'] as const;
const PAGES = launchRecordOf(affectedLaunch('snp', 1)).ovmf.hash;

describe('the launch digests of A3S-2026-0001', () => {
  it('lists the launch digests of its boot set with 1 to 8 vCPUs', () => {
    const computed = TEES.flatMap((tee) =>
      Array.from(
        { length: 8 },
        (_, index) => launchRecordOf(affectedLaunch(tee, index + 1)).digest,
      ),
    );
    const listed = KNOWN_VULNERABLE.entries.filter(({ kind }) => kind === 'launch');
    expect(listed.map(({ digest }) => digest)).toEqual(computed);
  });
});

describe('vulnerableLaunch', () => {
  it.each([
    ['the listed launch', affectedLaunch('snp', 2)],
    ['more vCPUs than are listed', affectedLaunch('snp', 64)],
    ['another kernel', { ...affectedLaunch('snp', 1), kernel: new Uint8Array(3) }],
    ['another model', { ...affectedLaunch('snp', 1), vcpuType: 'EPYC-Genoa' as const }],
  ])('recognises vulnerable firmware in a launch record with %s', (_, launch) => {
    expect(vulnerableLaunch(launchRecordOf(launch))).toMatchObject({
      id: 'A3S-2026-0001',
      kind: 'firmware-pages',
      digest: PAGES,
    });
  });

  it('recognises a vulnerable launch digest when the firmware is another one', () => {
    const { digest } = launchRecordOf(affectedLaunch('simulated', 3));
    const record = launchRecordOf(SIGNED_LAUNCH.inputs);
    expect(vulnerableLaunch({ ...record, digest })).toMatchObject({ kind: 'launch', digest });
    expect(vulnerableLaunch({ ...record, digest }, [digest])).toBeUndefined();
  });

  it('excepts the allowed vulnerable firmware, and nothing else', () => {
    const record = launchRecordOf(affectedLaunch('snp', 1));
    expect(vulnerableLaunch(record, [PAGES])).toBeUndefined();
    expect(vulnerableLaunch(record, [record.digest, 'ab'.repeat(48)])).toBeDefined();
  });

  it('finds no vulnerability in any other launch', () => {
    expect(vulnerableLaunch(launchRecordOf(SIGNED_LAUNCH.inputs))).toBeUndefined();
  });
});
