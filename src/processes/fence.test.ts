import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { isRunning, killProcess, statOf, untilGone } from './fence.ts';

const never = new AbortController().signal;
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** What runs the Perl script, and the first line that it prints. */
async function run(script: string): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn('/usr/bin/perl', ['-e', `$| = 1; ${script}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  const [line] = await once(child.stdout, 'data');
  return { child, line: String(line).trim() };
}

it('treats a zombie as ended', async () => {
  // The script starts a child and never waits for it.
  const { line } = await run('my $p = fork; if (!$p) { exit } print "$p\\n"; sleep 600');
  const pid = Number(line);
  await untilGone([{ pid, startTime: startTimeOf(pid) }], never);
  expect(process.kill(pid, 0)).toBe(true);
});

it('treats a process as running until its last thread has ended', async () => {
  const exit = process.arch === 'arm64' ? 93 : 60;
  const { child } = await run(
    `use threads; threads->create(sub { sleep 600 })->detach; print "ready\\n"; syscall(${exit}, 0)`,
  );
  const pid = child.pid ?? 0;
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ');
  const found = statOf(pid);
  if (found === undefined) throw new Error('not found');
  killProcess(found);
  await untilGone([found], never);
});

it('treats a reused process id as ended, and does not kill its process', async () => {
  const { child } = await run('print "ready\\n"; sleep 600');
  const found = statOf(child.pid ?? 0);
  if (found === undefined) throw new Error('not found');
  expect(found).toMatchObject({ parent: process.pid, ending: false });
  const earlier = { pid: found.pid, startTime: String(Number(found.startTime) - 1) };
  expect(isRunning(earlier)).toBe(false);
  killProcess(earlier);
  expect(isRunning(found)).toBe(true);
  killProcess(found);
  await untilGone([found], never);
  expect(statOf(found.pid)).toBeUndefined();
});

function startTimeOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
