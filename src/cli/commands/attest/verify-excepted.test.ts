import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchRecordOf } from '@a3s-box/attestation/measure';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EvidenceFiles, SIMULATED_ROOTS } from '../../testing/evidence-files.ts';
import { failed, verifyIn } from '../../testing/verify-in.ts';

/** The launch digest of the vectors. */
const DIGEST = vi.hoisted(
  () =>
    '60376c7aa839ad867a480d115def2e9ae1cc9bb0420c562d85568282b6e965ac9469e4593baba277a5df97eb3e78d6e9',
);

/** A list that names the launch of the vectors by its digest. */
vi.mock('../../../../policies/src/known-vulnerable/known-vulnerable-data.ts', () => {
  const digests = [['launch', DIGEST]];
  const group = { id: 'TEST-1', date: '2026-01-01', reason: 'a test', advisory: 'a.md', digests };
  return { KNOWN_VULNERABLE_DATA: { date: '2026-01-01', groups: [group] } };
});

/** The launch of the vectors, as `scripts/vectors/processor.ts` has it. */
const INPUTS = {
  vmm: 'qemu',
  ovmf: {
    hash: Uint8Array.from({ length: 48 }, (_, index) => index),
    sections: [
      { gpa: 0x800000, size: 0x9000, type: 'sec-mem' },
      { gpa: 0x80a000, size: 0x1000, type: 'secrets' },
      { gpa: 0x80b000, size: 0x1000, type: 'cpuid' },
      { gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' },
    ],
    hashTableGpa: 0x810c00,
    resetEip: 0x80b004,
  },
  kernel: Buffer.from('kernel of the vectors'),
  initrd: Buffer.from('initrd of the vectors'),
  append: 'console=ttyS0',
  vcpus: 2,
  vcpuType: 'EPYC-Milan',
} as const;

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-excepted-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

/** Judges evidence of that launch, under a policy that excepts the given digests. */
async function judged(record: unknown, allowKnownVulnerable: readonly string[]) {
  const files = new EvidenceFiles(cwd, 'appraisal', 'milan');
  const policy = JSON.parse(readFileSync(join(cwd, 'policy.json'), 'utf8'));
  files.write('policy.json', JSON.stringify({ ...policy, allowKnownVulnerable }));
  files.write('record.json', JSON.stringify(record));
  const simulated = ['--allow-simulated', `--simulated-roots=${SIMULATED_ROOTS}`, '--json'];
  return verifyIn(cwd, [...files.flags, ...simulated, '--record=record.json']);
}

it('accepts an excepted launch digest next to the record that gives it', async () => {
  expect(failed(await judged(launchRecordOf(INPUTS), []))).toEqual(['known-vulnerable']);
  expect(await judged(launchRecordOf(INPUTS), [DIGEST])).toMatchObject({ status: 0 });
});

it('refuses an excepted launch digest next to a record of another launch', async () => {
  const other = launchRecordOf({ ...INPUTS, vcpus: 3 });
  for (const record of [other, { ...other, digest: DIGEST }]) {
    const done = await judged(record, [DIGEST]);
    expect(done.status).toBe(1);
    expect(failed(done)).toEqual(['known-vulnerable']);
    expect(done.stdout).toContain(other.digest);
  }
});
