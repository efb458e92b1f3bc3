import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GUARD } from './guard-script.ts';

/** Files in place of the kernel's: the groups of steps, of three kinds. */
let group: string;
let running: ChildProcess | undefined;

const PARENTS = ['', 'docker', 'docker/buildkit'];
const STEPS = ['docker/classic', 'docker/buildkit/busy', 'docker/buildkit/greedy', 'a:b'];
const LOOK_MS = 50;

beforeEach(() => {
  group = mkdtempSync(join(tmpdir(), 'a3s-guard-'));
  for (const name of [...PARENTS, ...STEPS]) {
    const of = (file: string): string => join(group, name, file);
    mkdirSync(join(group, name), { recursive: true });
    writeFileSync(of('cgroup.kill'), '');
    writeFileSync(of('pids.events'), 'max 0\n');
    writeFileSync(of('memory.events'), 'low 0\nmax 9\noom 0\noom_kill 0\noom_group_kill 0\n');
    writeFileSync(of('pids.current'), PARENTS.includes(name) ? '4090\n' : '6\n');
    writeFileSync(of('memory.current'), PARENTS.includes(name) ? '4090\n' : '5\n');
  }
});
afterEach(() => {
  if (running?.pid !== undefined) process.kill(-running.pid, 'SIGKILL');
  rmSync(group, { recursive: true });
});

const write = (file: string, text: string): void => writeFileSync(join(group, file), text);
const killed = (): string[] =>
  [...PARENTS, ...STEPS].filter((name) => readFileSync(join(group, name, 'cgroup.kill')).length);

/** Runs it while `change` is called at each of its looks, until it ends a step, or for so many. */
async function looks(most: number, change: (look: number) => void): Promise<void> {
  const script = join(group, 'script');
  writeFileSync(script, GUARD);
  const words = ['sh', script, group, String(LOOK_MS / 1000)];
  running = spawn('busybox', words, { detached: true, stdio: 'ignore' });
  // More often than it looks, so that each look sees a change.
  for (let look = 1; look <= most * 4 && killed().length === 0; look += 1) {
    change(look);
    await delay(LOOK_MS / 4);
  }
}

it('ends the step with the most processes where steps are refused more for long', async () => {
  write('docker/buildkit/greedy/pids.current', '4000\n');
  await looks(400, (look) => write('pids.events', `max ${look}\n`));
  expect(killed()).toEqual(['docker/buildkit/greedy']);
});

it('ends the one with the most memory where the kernel ends processes for long', async () => {
  write('docker/classic/memory.current', '1000000000\n');
  write('docker/buildkit/busy/pids.current', '4000\n');
  await looks(400, (look) => write('memory.events', `low 0\noom 7\noom_kill ${look}\n`));
  expect(killed()).toEqual(['docker/classic']);
});

it('ends what a client has put beside the groups of the daemon, whatever its name', async () => {
  write('a:b/pids.current', '4000\n');
  await looks(400, (look) => write('pids.events', `max ${look}\n`));
  expect(killed()).toEqual(['a:b']);
});

it('ends no step that was refused something once, or that comes near its bounds', async () => {
  write('docker/buildkit/greedy/pids.current', '4000\n');
  await looks(30, (look) => {
    if (look === 20) write('pids.events', 'max 12\n');
    if (look === 40) write('memory.events', 'low 0\noom 1\noom_kill 1\n');
  });
  expect(killed()).toEqual([]);
});
