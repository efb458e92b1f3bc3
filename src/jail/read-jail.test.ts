import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { converterIdentity } from './identity.ts';
import { readJail } from './read-jail.ts';
import { jailFeatures, spawnInJail } from './spawn.ts';

let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
});

/** The program of a jail is the child of its keeper. */
function programOf(keeper: number): number {
  return Number(readFileSync(`/proc/${keeper}/task/${keeper}/children`, 'utf8'));
}

it('says what confines a program in a jail, as the kernel has it', async () => {
  const { identity, namespaces } = await jailFeatures();
  expect(namespaces).toBe(true);
  child = await spawnInJail({
    path: '/usr/bin/sleep',
    args: ['100'],
    identity: converterIdentity(),
    stdio: ['ignore', 'ignore', 'ignore'],
    ...{ writable: [], readable: [], network: false, outlives: false },
    limits: { openFiles: 64, fileBytes: 4096 },
  });
  const keeper = child.pid ?? 0;
  await expect
    .poll(() => readFileSync(`/proc/${programOf(keeper)}/comm`, 'utf8'), { timeout: 10_000 })
    .toBe('sleep\n');
  expect(readJail(programOf(keeper))).toEqual({
    userId: identity ? converterIdentity().uid : process.geteuid?.(),
    namespaces: ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'],
    ...{ capabilities: false, noNewPrivileges: true, systemCallFilters: 0 },
    ...{ openFiles: 64, fileBytes: 4096, dataBytes: undefined },
    processes: expect.anything(),
  });
});

it('finds nothing of this process that confines it, and nothing where none runs', () => {
  expect(readJail(process.pid)).toMatchObject({ namespaces: [], userId: process.geteuid?.() });
  expect(readJail(2 ** 22 + 1)).toBeUndefined();
});
