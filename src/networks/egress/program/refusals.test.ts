import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Refusals } from './refusals.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-refusals-'));
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

it('writes the list of refusals once there is room for it', () => {
  const path = join(directory, 'list');
  // A directory in its place: writing fails, as it does on a full file system.
  mkdirSync(path);
  const refusals = new Refusals(path, [{ of: 'box', default: 'deny', rules: [] }], () => 1);
  refusals.add({ target: 'a.example', policy: 0, by: 'default' });
  vi.advanceTimersByTime(5000);
  rmSync(path, { recursive: true });
  vi.advanceTimersByTime(5000);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
    refusals: [{ target: 'a.example', of: 'box', rule: 'default:deny', number: 1 }],
  });
  expect(vi.getTimerCount()).toBe(0);
});
