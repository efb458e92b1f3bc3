import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { runPlugin } from './plugin.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-plugin-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const run = (text: string, deadlineMs?: number) => {
  writeFileSync(join(directory, 'x'), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return runPlugin({ command: 'STATUS', directory, type: 'x', config: { name: 'a' } }, deadlineMs);
};

it('answers what a plugin prints, which reads its configuration', async () => {
  expect(await run('echo $CNI_COMMAND; cat')).toBe('STATUS\n{"name":"a"}');
});

it('says why a plugin failed: as it printed, by its last line, or by its status', async () => {
  const failing = async (text: string) =>
    (await run(text).catch((error: unknown) => error)) as Error;
  const why = 'The CNI plugin x failed at STATUS:';
  expect((await failing('echo \'{"code":1,"msg":"no"}\'; exit 1')).message).toBe(`${why} no`);
  expect((await failing('echo first >&2; echo last >&2; exit 1')).message).toBe(`${why} last`);
  expect((await failing('exit 7')).message).toBe(`${why} it ended with 7`);
});

it('ends a plugin that takes too long, and what it has started with its pipes', async () => {
  const late = run(`tail -f ${directory}/x >/dev/null; true`, 1000);
  await expect(late).rejects.toMatchObject({
    code: 'network-failed',
    message: 'The CNI plugin x failed at STATUS: it did not end within 1 s',
  });
  await vi.waitFor(() => expect(commands().filter((each) => each.includes(directory))).toEqual([]));
});

function commands(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        // It has ended.
        return '';
      }
    });
}
