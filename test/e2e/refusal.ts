/**
 * The printed form of a refusal.
 *
 * @module
 */
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import type { Result } from './actor.ts';

/**
 * One clear line with the code, at most two with what to do, and nothing of the program's inside.
 * There is no output but the empty list that `inspect` prints as Docker does.
 */
export function expectRefusal(result: Result, status: number, code: ErrorCode): void {
  expect(result.stderr).toMatch(new RegExp(`^a3s-box: [^\\n]+ \\(${code}\\)\\n([^\\n]+\\n){0,2}$`));
  expect(result.stderr).not.toMatch(/\n\s+at |Error:|\[object|undefined/);
  expect(result.stdout).toMatch(/^(\[\]\n)?$/);
  expect(result.code).toBe(status);
}
