import { readdirSync, rmSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TestHome } from '../testing/home.ts';

vi.mock('node:fs/promises', { spy: true });

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(async () => {
  vi.mocked(files.rm).mockReset();
  await home.remove();
});

const boxes = (): string[] => readdirSync(join(home.config.home, 'boxes'));

describe('a box that does not get the disk of a snapshot', () => {
  it('leaves no record of a box without the disk of its snapshot, although its directory cannot be removed', async () => {
    const source = await home.create(['true'], { HostConfig: { NetworkMode: 'none' } });
    const body = { box: source, memory: false, name: 'origin' };
    await home.call('POST', '/a3s/v1/snapshots', body);
    const [id = ''] = readdirSync(join(home.config.home, 'snapshots'));
    rmSync(join(home.config.home, 'snapshots', id, 'changes.ext4'));
    vi.mocked(files.rm).mockImplementation(async (path, options) => {
      if (/boxes\/[0-9a-f]{64}$/.test(`${path}`)) throw new Error('EIO');
      rmSync(path, options);
    });
    const answer = await home.call('POST', '/a3s/v1/snapshots/origin/boxes', { name: 'one' });
    expect(answer.status).toBe(500);
    expect(home.runtime.store.byName('one')).toBe(undefined);
    expect(boxes()).toHaveLength(2);
    vi.mocked(files.rm).mockReset();
    await home.crash();
    await home.start();
    expect(boxes()).toEqual([source]);
  });
});
