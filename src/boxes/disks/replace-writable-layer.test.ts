import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { finishReplacement, replaceWritableLayer } from './replace-writable-layer.ts';

vi.mock('node:fs/promises', { spy: true });

const ID = 'a'.repeat(64);
const IDENTITY = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
let home: string;
let box: string;
let saved: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'replace-'));
  box = join(home, 'boxes', ID);
  saved = join(home, 'saved');
  for (const directory of [box, saved]) mkdirSync(directory, { recursive: true });
  for (const name of ['changes.ext4', 'changes.1.qcow2', 'changes.2.qcow2']) {
    writeFileSync(join(box, name), `old ${name}`);
  }
  for (const name of ['changes.ext4', 'changes.3.qcow2']) {
    writeFileSync(join(saved, name), `new ${name}`);
  }
});
afterEach(() => {
  vi.mocked(files.rm).mockReset();
  rmSync(home, { recursive: true });
});

/** The server is killed when it has removed so many of the files of a directory. */
function endIn(count: number): void {
  vi.mocked(files.rm).mockImplementation(async (path, options) => {
    const all = options?.recursive === true ? await files.readdir(`${path}`).catch(() => []) : [];
    if (all.length === 0) return rmSync(path, options);
    for (const name of all.slice(0, count)) rmSync(join(`${path}`, name));
    throw new Error('killed');
  });
}

describe('a replacement of the writable layer', () => {
  it.each([0, 1, 2, 3])(
    'leaves the new disk where the server ends with %i files of the directory removed',
    async (count) => {
      endIn(count);
      await replaceWritableLayer({ home }, { id: ID, identity: IDENTITY }, saved).catch(
        () => undefined,
      );
      vi.mocked(files.rm).mockReset();
      for (let again = 0; again < 2; again += 1) {
        await finishReplacement({ home }, ID);
        expect(readdirSync(box).sort()).toEqual([
          ...['changes.3.qcow2', 'changes.4.qcow2', 'changes.ext4'],
        ]);
      }
      expect(readFileSync(join(box, 'changes.3.qcow2'), 'utf8')).toBe('new changes.3.qcow2');
    },
  );
});
