import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bindPaths } from './binds.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-binds-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const bind = (source: string) => bindPaths([{ source, destination: '/d', readonly: true }]);

describe('a path of the host that a box binds', () => {
  it('is made a directory where it is missing', async () => {
    const source = join(root, 'a/b');
    const { shares, mounts } = await bind(source);
    expect(statSync(source).isDirectory()).toBe(true);
    expect(shares).toEqual([{ tag: 'bind-0', path: source, readonly: true }]);
    expect(mounts).toEqual([
      { kind: 'virtiofs', tag: 'bind-0', destination: '/d', readonly: true },
    ]);
  });

  it('may be a file', async () => {
    const source = join(root, 'file');
    writeFileSync(source, 'x');
    expect((await bind(source)).mounts[0]).toHaveProperty('file');
  });

  it('is refused where nothing can be made of it', async () => {
    await expect(bind('/proc/nowhere/at/all')).rejects.toMatchObject({
      code: 'bind-source-missing',
      message: 'Cannot bind /proc/nowhere/at/all: it does not exist, and cannot be made',
    });
    await expect(bind('/dev/null')).rejects.toMatchObject({ code: 'unsupported-option' });
  });
});
