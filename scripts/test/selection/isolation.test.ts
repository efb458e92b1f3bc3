import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../run.ts';
import { changesItsProcess, isolatedFiles } from './isolation.ts';

// Joined from pieces, so that this file itself does not match.
const MOCKS = ['vi', "mock('node:fs');"].join('.');

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-isolation-'));
  const files = {
    'src/mocks.test.ts': MOCKS,
    'src/inner/mocks.test.ts': MOCKS,
    'src/mocks.ts': MOCKS,
    'src/plain.test.ts': 'expect(1).toBe(1);',
    'src/node_modules/x/mocks.test.ts': MOCKS,
    'other/mocks.test.ts': MOCKS,
  };
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), source);
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('isolation of test files', () => {
  it.each([
    [['vi', "mock('node:fs')"]],
    [['vi', 'hoisted(() => 1)']],
    [['vi', "stubEnv('PATH', '')"]],
    [['vi', 'useFakeTimers()']],
    [['process', "env['PATH'] = directory"]],
    [['process', "env.PATH ??= ''"]],
    [['delete process', "env['PATH']"]],
    [['process', 'chdir(root)']],
    [['process', "on('unhandledRejection', note)"]],
    [['globalThis', 'fetch = refuse']],
  ])('isolates a test file that changes its process: %j', (pieces) => {
    expect(changesItsProcess(pieces.join('.'))).toBe(true);
  });

  it('shares a process between test files that only read, compare and spy', () => {
    for (const source of [
      "const path = process.env['PATH'];",
      "expect(process.env['PATH'] === '').toBe(false);",
      "vi.spyOn(store, 'write');",
      "child.on('exit', done);",
    ]) {
      expect(changesItsProcess(source), source).toBe(false);
    }
  });

  it('finds isolated test files in all subfolders, except in installed packages', () => {
    expect(isolatedFiles(root, ['src'])).toEqual(['src/inner/mocks.test.ts', 'src/mocks.test.ts']);
  });

  it('never isolates tests of the verifier, whose coverage is counted in one project', () => {
    expect(isolatedFiles(ROOT, ['attestation'])).toEqual([]);
  });
});
