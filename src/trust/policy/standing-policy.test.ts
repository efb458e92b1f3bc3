import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadedPolicy } from '../policy.ts';
import { standingPolicy } from './standing-policy.ts';

let root: string;
let home: string;
let system: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-policy-'));
  home = join(root, 'home');
  system = join(root, 'etc');
  mkdirSync(home, { mode: 0o700 });
  mkdirSync(system, { mode: 0o755 });
});

afterEach(() => rmSync(root, { recursive: true }));

const DENY = 'images: [{ pattern: "**", deny: true }]';
const standing = (): Promise<LoadedPolicy> => standingPolicy({ home, system });
const write = (directory: string, text = DENY): string => {
  const path = join(directory, 'image-policy.yaml');
  writeFileSync(path, text, { mode: 0o644 });
  return path;
};
const refused = (message: string): Promise<void> =>
  expect(standing()).rejects.toMatchObject({
    code: 'policy-invalid',
    message: expect.stringContaining(message),
  });

describe('the standing policy', () => {
  it('allows every image where there is no image policy file', async () => {
    const policy = await standing();
    expect(policy).toMatchObject({ source: 'built-in', path: undefined });
    expect(policy.rules).toEqual([{ pattern: '**', action: 'allowUnsigned' }]);
    expect(policy.match('')).toBe(0);
    rmSync(home, { recursive: true });
    expect(await standing()).toMatchObject({ source: 'built-in' });
  });

  it('uses the policy in the home in preference to that of the system', async () => {
    const path = write(system);
    expect(await standing()).toMatchObject({ source: 'file', path });
    const own = write(home);
    expect(await standing()).toMatchObject({ source: 'file', path: own });
  });

  it('reads the policy file again for each decision', async () => {
    write(home);
    const { digest } = await standing();
    write(home, 'images: [{ pattern: "**", allowUnsigned: true }]');
    expect((await standing()).digest).not.toBe(digest);
  });

  it('follows a symbolic link to the policy file', async () => {
    mkdirSync(join(root, 'store'), { mode: 0o755 });
    symlinkSync(write(join(root, 'store')), join(home, 'image-policy.yaml'));
    expect(await standing()).toMatchObject({ source: 'file' });
    chmodSync(join(root, 'store'), 0o777);
    await refused('can be written by other users');
  });

  it('refuses every image when the policy of the home is malformed, even if the system has a good one', async () => {
    write(system);
    const path = write(home, 'image: []');
    await refused(`Cannot use the image policy ${path}: `);
    write(home, '');
    await refused('nothing is said here');
  });

  it('refuses every image while the policy file is being written', async () => {
    const path = write(home);
    let written = false;
    const reading = refused('it was written while it was read').finally(() => {
      written = true;
    });
    while (!written) {
      appendFileSync(path, '\n# more is to come');
      await setImmediate();
    }
    await reading;
    expect(await standing()).toMatchObject({ source: 'file' });
  });

  it('refuses every image when the policy is a directory, a dangling link or a special file', async () => {
    write(system);
    const path = join(home, 'image-policy.yaml');
    mkdirSync(path);
    await refused(`Cannot use the image policy ${path}: it is a directory`);
    rmSync(path, { recursive: true });
    symlinkSync('nowhere', path);
    await refused('there is no such file');
    rmSync(path);
    symlinkSync('image-policy.yaml', path);
    await refused('its links lead in a circle');
    rmSync(path);
    symlinkSync('/dev/zero', path);
    await refused('it is no regular file');
  });

  it('refuses every image when others can write the policy file or its directory', async () => {
    const path = write(home);
    for (const mode of [0o666, 0o664, 0o646]) {
      chmodSync(path, mode);
      await refused('it can be written by other users: take that away with chmod go-w');
    }
    chmodSync(path, 0o644);
    chmodSync(home, 0o777);
    await refused(`its directory ${home} can be written by other users`);
    // In a sticky directory, other users cannot replace the file.
    chmodSync(home, 0o1777);
    expect(await standing()).toMatchObject({ source: 'file' });
  });

  it('refuses every image when others can write a key of the policy', async () => {
    write(home, 'images: [{ pattern: "**", require: [{ keys: [a.pub] }] }]');
    writeFileSync(join(home, 'a.pub'), 'x');
    chmodSync(join(home, 'a.pub'), 0o666);
    await refused('keys[0]: cannot use "a.pub": it can be written by other users');
  });

  it('refuses every image when the policy file belongs to another user or is unreadable', async () => {
    const path = write(home);
    if (process.geteuid?.() === 0) {
      chownSync(path, 65_534, 65_534);
      await refused('it belongs to another user (65534)');
    } else {
      chmodSync(path, 0);
      await refused('it may not be read');
    }
  });
});
