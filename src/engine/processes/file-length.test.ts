import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { allowDisks, fileLength } from './file-length.ts';

const MIB = 2 ** 20;
const asRoot = process.geteuid?.() === 0;
/** An ordinary user without processes, whose id root takes on. */
const ORDINARY = { uid: 54_321, gid: 54_321 };

let root: string;
let child: ChildProcess;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'length-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

function disk(name: string, bytes: number, backing?: readonly string[]) {
  const path = join(root, name);
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return { path, serial: name, readonly: false, ...(backing === undefined ? {} : { backing }) };
}

it('takes the longest of disks, the files below them and memory, with room for tables', async () => {
  const [small, large] = [disk('small', MIB), disk('large', 8192 * MIB)];
  const room = 256 * MIB;
  expect(await fileLength([small], 512 * MIB)).toBe(512.5 * MIB + room);
  expect(await fileLength([small, large], 512 * MIB)).toBe(8200 * MIB + room);
  const layered = { ...small, backing: [large.path] };
  expect(await fileLength([layered], 512 * MIB)).toBe(8200 * MIB + room);
});

it('raises the limit of a process for a longer disk, and leaves it for others', async () => {
  const limited = ['--fsize=1048576:', '--', 'sleep', '100'];
  child = spawn('prlimit', limited, { stdio: 'ignore', ...(asRoot ? ORDINARY : {}) });
  const pid = child.pid ?? 0;
  const most = (): string | undefined =>
    /^Max file size {2,}(\d+|unlimited) /m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1];
  await expect.poll(most).toBe(String(MIB));
  const startTime = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21] ?? '';
  const fence = { pid, startTime };
  await allowDisks(fence, [{ ...disk('read', 8192 * MIB), readonly: true }]);
  expect(most()).toBe(String(MIB));
  await allowDisks(fence, [disk('written', 8192 * MIB)]);
  expect(most()).toBe(String(8456 * MIB));
  await allowDisks(fence, [disk('shorter', MIB)]);
  expect(most()).toBe(String(8456 * MIB));
});

it('refuses a disk whose file is not there', async () => {
  const missing = { path: join(root, 'none'), serial: 'none', readonly: false };
  await expect(allowDisks({ pid: 1, startTime: '0' }, [missing])).rejects.toMatchObject({
    code: 'state-unusable',
  });
});
