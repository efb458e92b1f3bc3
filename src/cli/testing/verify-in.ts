/**
 * Runs `attest verify` for tests, and reads its document.
 *
 * @module
 */
import { join } from 'node:path';
import type { EvidenceFiles } from './evidence-files.ts';
import { type FakeEnds, type Transcript, transcript } from './fake-context.ts';

/** Verifies in a directory, without a server. */
export function verifyIn(
  cwd: string,
  args: readonly string[],
  ends: FakeEnds = {},
): Promise<Transcript> {
  return transcript('/nonexistent', ['attest', 'verify', ...args], {
    cwd,
    home: join(cwd, 'home'),
    ...ends,
    onConnect() {
      throw new Error('verify needs no server');
    },
  });
}

/** A policy that accepts the Genoa guest. It is JSON, and so YAML. */
export function acceptingGenoa(files: EvidenceFiles, changes: object = {}): string {
  const measurement = files.report.subarray(0x90, 0xc0).toString('hex');
  const policy = {
    measurements: [measurement],
    hostData: 'any-explicit',
    reportData: 'any-explicit',
    ...changes,
  };
  files.write('accepting.yaml', JSON.stringify(policy));
  return '--policy=accepting.yaml';
}

export interface Check {
  stage: string;
  code: string;
  verdict: string;
}

/** Codes of the checks that failed. */
export const failed = (done: Transcript): readonly string[] =>
  JSON.parse(done.stdout)
    .checks.filter((check: Check) => check.verdict === 'failed')
    .map((check: Check) => check.code);
