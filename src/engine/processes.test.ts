import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { findProcesses, isRunning, killProcess, untilGone } from './processes.ts';

const directory = `/run/a3s-box-test/${process.pid}`;
const own = (uid: number): boolean => uid === process.geteuid?.();
const never = new AbortController().signal;
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function start(name: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn('/usr/bin/perl', ['-e', 'sleep 600', '--', ...args], {
    argv0: name,
    stdio: 'ignore',
  });
  children.push(child);
  await once(child, 'spawn');
  return child;
}

it('finds the programs that work in a directory, and no other', async () => {
  const vmm = await start('qemu-system-x86_64', `path=${directory}/qmp.sock,server=on`);
  const keeper = await start('/usr/bin/bwrap', '--bind', directory, directory);
  await start('virtiofsd', `--socket-path=${directory}0/fs0.sock`);
  await start('tail', `${directory}/ctl.sock`);
  const found = findProcesses(directory, own);
  expect(found.map(({ pid, program }) => [pid, program]).sort()).toEqual(
    [
      [vmm.pid, 'qemu-system-x86_64'],
      [keeper.pid, 'bwrap'],
    ].sort(),
  );
  expect(findProcesses(directory, () => false)).toEqual([]);
});

it('counts a zombie as gone', async () => {
  // The shell starts a child and never waits for it.
  const parent = spawn(
    '/usr/bin/perl',
    ['-e', `$|=1; my $p = fork; if (!$p) { exit } print "$p\\n"; sleep 600`],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  children.push(parent);
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(line);
  await untilGone([{ pid, startTime: startTimeOf(pid) }], never);
  expect(process.kill(pid, 0)).toBe(true);
});

it('takes a process id that another process has now for gone, and does not kill it', async () => {
  const child = await start('passt', `${directory}/passt.sock`);
  const [found] = findProcesses(directory, own);
  if (found === undefined) throw new Error('not found');
  const earlier = { pid: found.pid, startTime: String(Number(found.startTime) - 1) };
  expect(isRunning(earlier)).toBe(false);
  killProcess(earlier);
  expect(isRunning(found)).toBe(true);
  killProcess(found);
  await untilGone([found], never);
  expect(child.pid).toBe(found.pid);
});

function startTimeOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
