import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { SELF_TEST_LINE, SELF_TEST_STATUS, selfTestProgram } from './program.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-program-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('prints its line and exits with its status on the processor of this host', () => {
  const path = join(directory, 'program');
  writeFileSync(path, selfTestProgram(process.arch === 'arm64' ? 'arm64' : 'amd64'));
  chmodSync(path, 0o700);
  const { status, stdout } = spawnSync(path, { encoding: 'latin1', timeout: 10_000 });
  expect({ status, stdout }).toEqual({ status: SELF_TEST_STATUS, stdout: SELF_TEST_LINE });
});

it('makes the same calls with the instructions of arm64', () => {
  const program = selfTestProgram('arm64');
  expect(program.readUInt16LE(18)).toBe(183);
  const words = Array.from({ length: 8 }, (_, n) => program.readUInt32LE(120 + 4 * n).toString(16));
  // mov x0, #1; adr x1, #28; mov x2, #18; mov x8, #64; svc #0; mov x0, #7; mov x8, #94; svc #0
  expect(words.join(' ')).toBe(
    'd2800020 100000e1 d2800242 d2800808 d4000001 d28000e0 d2800bc8 d4000001',
  );
  expect(program.subarray(152).toString('latin1')).toBe(SELF_TEST_LINE);
});
