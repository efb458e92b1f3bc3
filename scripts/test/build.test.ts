import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let checkout: string;
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'a3s-build-'));
  mkdirSync(join(checkout, 'scripts'));
  for (const name of ['build.mjs', 'build-cli.mjs']) {
    cpSync(join(import.meta.dirname, '..', name), join(checkout, 'scripts', name));
  }
});
afterEach(() => rmSync(checkout, { recursive: true }));

function build() {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], {
    ...{ cwd: checkout, encoding: 'utf8' },
  });
  return { status, stdout, stderr };
}

describe('npm run build in a checkout that is not set up', () => {
  it('names the set-up in one line where no npm package is installed', () => {
    const stderr =
      'a3s-box: cannot build without node_modules/esbuild/package.json: run npm run setup first\n';
    expect(build()).toEqual({ status: 1, stdout: '', stderr });
  });

  it('names the set-up in one line, and builds nothing, where the add-on is not compiled', () => {
    const modules = join(checkout, 'node_modules');
    mkdirSync(join(modules, 'esbuild'), { recursive: true });
    writeFileSync(join(modules, 'esbuild/package.json'), '{}');
    for (const file of ['package.json', 'LICENSE', 'lib']) {
      mkdirSync(join(modules, 'better-sqlite3', file), { recursive: true });
    }
    const addon = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';
    const stderr = `a3s-box: cannot build without ${addon}: run npm run setup first\n`;
    expect(build()).toEqual({ status: 1, stdout: '', stderr });
    expect(existsSync(join(checkout, 'dist'))).toBe(false);
  });
});
