import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bind, boundDirectory } from './bound.ts';

let root: string;
let device: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'a3s-bound-')));
  device = join(root, 'data');
  mkdirSync(device);
});
afterEach(() => rmSync(root, { recursive: true }));

it('finds the directory of the host, also through a link that was there before', async () => {
  symlinkSync('data', join(root, 'link'));
  const bound = await bind(join(root, 'link'));
  expect(bound).toEqual({ device: join(root, 'link'), realPath: device });
  expect(await boundDirectory(bound)).toBe(device);
});

it('refuses a directory that has become a link', async () => {
  const bound = await bind(device);
  rmdirSync(device);
  mkdirSync(join(root, 'secret'));
  symlinkSync('secret', device);
  await expect(boundDirectory(bound)).rejects.toMatchObject({
    code: 'bind-source-changed',
    message: `Cannot mount ${device}: it leads to ${root}/secret now, and led to ${device} when the volume was made`,
  });
});

it('refuses what is missing or no directory', async () => {
  writeFileSync(join(root, 'file'), '');
  for (const name of ['file', 'file/below', 'gone']) {
    await expect(bind(join(root, name))).rejects.toMatchObject({ code: 'bind-source-missing' });
  }
  const bound = await bind(device);
  rmdirSync(device);
  await expect(boundDirectory(bound)).rejects.toMatchObject({ code: 'bind-source-missing' });
});
