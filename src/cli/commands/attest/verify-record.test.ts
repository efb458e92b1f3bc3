import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchRecordOf } from '@a3s-box/attestation/measure';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EvidenceFiles, SIMULATED_ROOTS } from '../../testing/evidence-files.ts';
import { failed, verifyIn } from '../../testing/verify-in.ts';

/** A list that names the firmware of the vectors alone, by its pages. */
vi.mock('../../../../policies/src/known-vulnerable/known-vulnerable-data.ts', () => {
  const pages = Buffer.from(Array.from({ length: 48 }, (_, index) => index)).toString('hex');
  const digests = [['firmware-pages', pages]];
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
const PAGES = Buffer.from(INPUTS.ovmf.hash).toString('hex');

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-record-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const SIMULATED = ['--allow-simulated', `--simulated-roots=${SIMULATED_ROOTS}`, '--json'];

/** Judges valid evidence of the simulated processor together with a launch record. */
async function judged(record: unknown, allowKnownVulnerable: readonly string[] = []) {
  const files = new EvidenceFiles(cwd, 'appraisal', 'milan');
  const policy = JSON.parse(readFileSync(join(cwd, 'policy.json'), 'utf8'));
  files.write('policy.json', JSON.stringify({ ...policy, allowKnownVulnerable }));
  files.write('record.json', JSON.stringify(record));
  return verifyIn(cwd, [...files.flags, ...SIMULATED, '--record=record.json']);
}

describe('attest verify --record', () => {
  it('rejects listed firmware under a launch digest that is not listed', async () => {
    for (const record of [launchRecordOf(INPUTS), { launch: launchRecordOf(INPUTS), spec: '{}' }]) {
      const done = await judged(record);
      expect(done.status).toBe(1);
      expect(failed(done)).toEqual(['known-vulnerable']);
      expect(done.stdout).toContain(`the firmware ${PAGES} is known to be vulnerable (TEST-1)`);
    }
  });

  it('accepts listed firmware when the policy excepts exactly it', async () => {
    expect(await judged(launchRecordOf(INPUTS), [PAGES])).toMatchObject({ status: 0 });
    const another = await judged(launchRecordOf(INPUTS), ['ab'.repeat(48)]);
    expect(failed(another)).toEqual(['known-vulnerable']);
  });

  it('trusts no digest that a record claims, and accepts no record of another launch', async () => {
    const other = launchRecordOf({ ...INPUTS, vcpus: 3 });
    const done = await judged({ ...other, digest: launchRecordOf(INPUTS).digest }, [PAGES]);
    expect(failed(done)).toEqual(['known-vulnerable']);
    expect(done.stdout).toContain(other.digest);
  });

  it.each([
    ['no record', { launch: null, spec: '{}' }],
    ['something else', { schema: 'another' }],
  ])('refuses %s as a launch record', async (_, record) => {
    const done = await judged(record);
    expect(done.status).toBe(2);
    expect(JSON.parse(done.stdout)).toMatchObject({ code: 'launch-record-malformed' });
  });
});
