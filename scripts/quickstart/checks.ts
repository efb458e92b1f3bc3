/**
 * The output of the quickstart: one line for each check, and commands that have to succeed for the
 * later steps.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

let failures = 0;

/** How many checks have failed so far. */
export function failedChecks(): number {
  return failures;
}

export function check(ok: boolean, line: string): void {
  if (!ok) failures += 1;
  console.log(`${ok ? '✓' : '✗'} ${line}`);
}

export function say(line: string): void {
  console.log(`  ${line}`);
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function a3sBox(args: readonly string[]): Ended {
  const result = spawnSync(process.execPath, ['--', join('dist', 'a3s-box.cjs'), ...args], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** Without an answer there is nothing more to show. */
export class NothingMore extends Error {}

/** The output of a command that has to succeed. @throws NothingMore once it was said why */
export function needed(args: readonly string[]): string {
  const { code, stdout, stderr } = a3sBox(args);
  if (code === 0) return stdout;
  check(false, `a3s-box ${args.join(' ')} ended with ${code}\n${stderr.trim()}`);
  throw new NothingMore();
}

/** Checks that a command is refused, with a stable code. */
export function refused(args: readonly string[], codes: readonly string[], line: string): void {
  const { code, stdout, stderr } = a3sBox(args);
  const found = codes.find((name) => `${stdout}${stderr}`.includes(name));
  check(code !== 0 && found !== undefined, `${line}: ${found ?? `no code, status ${code}`}`);
  if (found === undefined) console.log(`${stdout}${stderr}`.trim());
}
