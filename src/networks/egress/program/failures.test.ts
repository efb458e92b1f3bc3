import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Failures } from './failures.ts';

it('keeps the last failures, each once, without what a terminal obeys', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-failures-'));
  const path = join(directory, 'failures.log');
  const file = openSync(path, 'ax');
  try {
    const failures = new Failures(file, () => 0);
    for (let at = 0; at < 100; at += 1)
      failures.add(`name ${at}`, new Error('no\u001b[2J\nanswer'));
    failures.add('name 99', new Error('no\u001b[2J\nanswer'));
    const lines = () => readFileSync(path, 'utf8').split('\n').slice(0, -1);
    await expect.poll(() => lines().length, { timeout: 60_000 }).toBe(64);
    expect(lines().at(-1)).toMatch(/^[0-9T:.Z-]+ name 99: no\?\[2J\?answer$/);
    failures.add('the last', 'one');
    await expect.poll(() => lines().at(-1), { timeout: 60_000 }).toMatch(/ the last: one$/);
    expect(lines()).toHaveLength(64);
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
});
