import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadOrCreate } from './state-file.ts';
import { testState } from './testing/guest.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'a3s-simulated-'));
  path = join(directory, 'state.json');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

const create = vi.fn(async () => testState());
const refused = (file: string) =>
  expect(loadOrCreate(file, create)).rejects.toMatchObject({ code: 'simulated-state' });

describe('loadOrCreate', () => {
  it('creates a state file that only its owner can read, and leaves no temporary file', async () => {
    const file = join(directory, 'deep', 'er', 'state.json');
    expect(await loadOrCreate(file, create)).toEqual(testState());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'deep', 'er'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(directory, 'deep', 'er'))).toEqual(['state.json']);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(testState());
  });

  it('reads an existing state file without creating another state', async () => {
    await writeFile(path, '{"some":"state"}', { mode: 0o600 });
    create.mockClear();
    expect(await loadOrCreate(path, create)).toEqual({ some: 'state' });
    expect(create).not.toHaveBeenCalled();
  });

  it('returns the same state to every concurrent caller', async () => {
    const callers = Array.from({ length: 8 }, (_, index) =>
      loadOrCreate(path, async () => ({
        ...testState(),
        chip: { ...testState().chip, secret: `${index}`.repeat(64) },
      })),
    );
    const states = new Set((await Promise.all(callers)).map((state) => JSON.stringify(state)));
    expect(states.size).toBe(1);
    expect(await readdir(directory)).toEqual(['state.json']);
  });

  it('refuses a state file that others can read', async () => {
    await writeFile(path, '{}', { mode: 0o600 });
    await chmod(path, 0o640);
    await refused(path);
    await expect(loadOrCreate(path, create)).rejects.toThrow('is open to others (mode 0640)');
  });

  it('refuses a state directory that others can enter', async () => {
    await chmod(directory, 0o755);
    await expect(loadOrCreate(path, create)).rejects.toMatchObject({
      code: 'simulated-state',
      remedy: expect.stringContaining(`chmod 0700 ${directory}`),
    });
    await chmod(directory, 0o700);
  });

  it('refuses a state file of another user', async () => {
    await writeFile(path, '{}', { mode: 0o600 });
    vi.spyOn(process, 'geteuid').mockReturnValue(4_000_000);
    await expect(loadOrCreate(path, create)).rejects.toMatchObject({
      code: 'simulated-state',
      message: expect.stringContaining('belongs to user'),
    });
  });

  it('refuses a state file on a system without user ids', async () => {
    const { geteuid } = process;
    Object.assign(process, { geteuid: undefined });
    try {
      await refused(path);
    } finally {
      Object.assign(process, { geteuid });
    }
  });

  it('refuses a state file that is a directory or a symbolic link', async () => {
    await mkdir(path);
    await refused(path);
    const link = join(directory, 'link');
    await writeFile(join(directory, 'target'), '{}', { mode: 0o600 });
    await symlink(join(directory, 'target'), link);
    await refused(link);
    await refused(join(directory, 'target', 'below-a-file'));
    await refused(join(directory, 'x'.repeat(300)));
  });

  it('refuses a state file that is too long, or no JSON', async () => {
    await writeFile(path, 'x'.repeat(65 * 1024), { mode: 0o600 });
    await expect(loadOrCreate(path, create)).rejects.toThrow('more than a state takes');
    await writeFile(path, '{"half":', { mode: 0o600 });
    await expect(loadOrCreate(path, create)).rejects.toThrow('is not JSON');
    await refused(path);
  });

  it('reports why no state could be created, and leaves no file', async () => {
    const failing = async () => {
      throw new Error('no entropy');
    };
    await expect(loadOrCreate(path, failing)).rejects.toMatchObject({
      code: 'simulated-state',
      cause: expect.objectContaining({ message: 'no entropy' }),
    });
    const vanishing = async () => {
      await rm(directory, { recursive: true });
      return testState();
    };
    await expect(loadOrCreate(path, vanishing)).rejects.toMatchObject({ code: 'simulated-state' });
    await mkdir(directory, { mode: 0o700 });
    expect(await readdir(directory)).toEqual([]);
  });
});
