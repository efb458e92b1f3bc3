import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const STEPS = join(import.meta.dirname, '../setup-kept.sh');
const MODULE = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';
const DAY_S = 86_400;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-kept-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const kept = (path = ''): string => join(root, 'home/.cache/a3s-box', path);

/** Runs steps in a checkout, of which there can be several. */
function inCheckout(name: string, steps: string, env: Readonly<Record<string, string>> = {}) {
  const cwd = join(root, name);
  mkdirSync(cwd, { recursive: true });
  const lock = { packages: { 'node_modules/better-sqlite3': { version: '1', integrity: 'one' } } };
  writeFileSync(join(cwd, 'package-lock.json'), JSON.stringify(lock));
  // What stands for the compiled module loads where its text says so.
  const script = `set -euo pipefail; . ${STEPS}; load_addon() { grep -q loads ${MODULE}; }\n${steps}`;
  const own = { HOME: join(root, 'home'), PATH: process.env['PATH'] ?? '', ...env };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
    ...{ cwd, env: own, encoding: 'utf8' },
  });
  return { status, stdout, stderr };
}

function file(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('what set-up keeps for other checkouts', () => {
  it('gives the firmware, its sources and kernel packages to the next checkout, and nothing else', () => {
    for (const name of ['firmware-1.fd', 'firmware-1.sha256', 'edk2_1.orig.tar.xz', 'ab.deb']) {
      file(`one/build/cache/${name}`, name);
    }
    file('one/build/cache/kernel.json', '{}');
    expect(inCheckout('one', 'keep')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(inCheckout('two', 'take_kept')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(join(root, 'two/build/cache')).sort()).toEqual(
      ['ab.deb', 'edk2_1.orig.tar.xz', 'firmware-1.fd', 'firmware-1.sha256', 'go'].sort(),
    );
    expect(read('two/build/cache/firmware-1.fd')).toBe('firmware-1.fd');
    expect(lstatSync(kept()).mode & 0o777).toBe(0o700);
  });

  it('replaces no file that a checkout has', () => {
    file('one/build/cache/firmware-1.fd', 'old');
    inCheckout('one', 'keep');
    file('two/build/cache/firmware-1.fd', 'own');
    inCheckout('two', 'take_kept; keep');
    expect(read('two/build/cache/firmware-1.fd')).toBe('own');
    expect(readFileSync(kept('files/firmware-1.fd'), 'utf8')).toBe('old');
  });

  it('keeps nothing where it cannot be copied, and ends no set-up for that', () => {
    file('one/build/cache/firmware-1.fd', 'text');
    const full = inCheckout('one', 'cp() { : > "$2"; return 1; }\nkeep\necho done');
    expect(full).toMatchObject({ status: 0, stdout: 'done\n' });
    expect(readdirSync(kept('files'))).toEqual([]);
  });

  it('removes what nobody has used for two months', () => {
    for (const name of ['old', 'new']) file(`one/build/cache/firmware-${name}.fd`, name);
    inCheckout('one', 'keep');
    const then = Date.now() / 1000 - 61 * DAY_S;
    utimesSync(kept('files/firmware-old.fd'), then, then);
    expect(inCheckout('two', 'take_kept').status).toBe(0);
    expect(readdirSync(kept('files'))).toEqual(['firmware-new.fd']);
    expect(existsSync(join(root, 'two/build/cache/firmware-old.fd'))).toBe(false);
  });

  it('takes an add-on that was compiled of the same, and compiles one that does not load', () => {
    file(`one/${MODULE}`, 'loads');
    inCheckout('one', 'keep_addon');
    expect(inCheckout('two', 'take_addon').status).toBe(0);
    expect(read(`two/${MODULE}`)).toBe('loads');
    // Other flags are another add-on.
    expect(inCheckout('three', 'ADDON_FLAGS=-O0; take_addon').status).toBe(1);
    for (const name of readdirSync(kept('addon'))) writeFileSync(kept(`addon/${name}`), 'broken');
    expect(inCheckout('four', 'take_addon').status).toBe(1);
    expect(existsSync(join(root, 'four', MODULE))).toBe(false);
    expect(readdirSync(kept('addon'))).toEqual([]);
  });

  it.each<[string, () => Readonly<Record<string, string>>]>([
    ['that is switched off', () => ({ A3S_SETUP_CACHE: 'off' })],
    ['that is no absolute path', () => ({ A3S_SETUP_CACHE: 'cache' })],
    [
      'that others can write',
      () => {
        chmodSync(kept(), 0o770);
        return {};
      },
    ],
  ])('neither takes from a directory %s nor fills it', (_, change) => {
    file('one/build/cache/firmware-1.fd', 'text');
    inCheckout('one', 'keep');
    const env = change();
    file('two/build/cache/firmware-2.fd', 'text');
    expect(inCheckout('two', 'take_kept; keep; ! take_addon', env)).toMatchObject({ status: 0 });
    expect(readdirSync(join(root, 'two/build/cache'))).toEqual(['firmware-2.fd']);
    expect(readdirSync(kept('files'))).toEqual(['firmware-1.fd']);
    expect(existsSync(join(root, 'two/cache'))).toBe(false);
  });
});
