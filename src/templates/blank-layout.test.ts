import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BLANK_DISK_BYTES, makeBlankDisk } from './blank-disk.ts';
import { blankLayout } from './blank-layout.ts';

const BLOCK = 4096;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'blank-layout-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

it('lists as in use exactly the blocks of an empty disk that dumpe2fs does not call free', async () => {
  const path = join(directory, 'disk');
  await makeBlankDisk(path);
  const report = execFileSync('dumpe2fs', [path], { encoding: 'utf8', stdio: 'pipe' });
  const free = [...report.matchAll(/^ {2}Free blocks: (.*)$/gm)].flatMap(([, list = '']) =>
    [...list.matchAll(/(\d+)(?:-(\d+))?/g)].map(([, first, last = first]) => ({
      start: Number(first) * BLOCK,
      end: (Number(last) + 1) * BLOCK,
    })),
  );
  const all = [...free, ...(await blankLayout()).inUse].sort((a, b) => a.start - b.start);
  expect(free.length).toBeGreaterThan(5);
  // Free and used extents cover the whole disk without overlap.
  const end = all.reduce((at, each) => {
    expect(each.start).toBe(at);
    return each.end;
  }, 0);
  expect(end).toBe(BLANK_DISK_BYTES);
});
