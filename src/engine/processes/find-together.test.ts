import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { findTogether, SharedListing } from './find-together.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A program that works in this directory as a VMM of this user does. */
async function start(directory: string): Promise<number | undefined> {
  const args = ['-e', 'sleep 600', '--', `path=${directory}/qmp.sock,server=on`];
  const child = spawn('/usr/bin/perl', args, { argv0: 'qemu-system-x86_64', stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child.pid;
}

it('lists processes once for all that ask before it begins', async () => {
  const list = vi.fn(() => []);
  const listing = new SharedListing(list);
  await Promise.all(Array.from({ length: 200 }, () => listing.read()));
  expect(list).toHaveBeenCalledTimes(1);
});

it('lists them anew for one that asks later, also after it could not list them', async () => {
  const list = vi.fn(() => []);
  const listing = new SharedListing(list);
  list.mockImplementationOnce(() => {
    throw new Error('too many open files');
  });
  await expect(listing.read()).rejects.toThrow('too many open files');
  await listing.read();
  await listing.read();
  expect(list).toHaveBeenCalledTimes(3);
});

it('finds for each of many that ask at a time the processes of its own directory', async () => {
  const directories = [1, 2, 3].map((each) => `/run/a3s-box-test/${process.pid}-${each}`);
  const pids = await Promise.all(directories.map(start));
  const found = await Promise.all(directories.map(findTogether));
  expect(found.map((of) => of.map(({ pid }) => pid))).toEqual(pids.map((pid) => [pid]));
});
