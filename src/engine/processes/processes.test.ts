import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { jailGroup } from '../../jail/identity.ts';
import { killProcess, untilGone } from '../../processes/fence.ts';
import { findProcesses, ProcessList } from './processes.ts';

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

it('finds the programs that work in a directory, and no others', async () => {
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

it('looks for the processes of a VM at none of other VMs', () => {
  let looked = 0;
  const all = Array.from({ length: 100 }, (_, n) => ({
    ...{ pid: 1000 + n, startTime: '1', parent: 1, program: 'passt', args: [], groups: [] },
    get words() {
      looked += 1;
      return `\0--socket\0${directory}/${n}/passt.sock\0`;
    },
  }));
  const list = new ProcessList(all);
  looked = 0;
  for (const [n, { pid }] of all.entries()) {
    expect(list.of(`${directory}/${n}`).map((each) => each.pid)).toEqual([pid]);
  }
  expect(looked).toBe(all.length);
});

it('finds a shim of libkrun whose monitor is gone', async () => {
  const shim = await start('node', '/opt/a3s-box/krun-shim.cjs', 'id', directory);
  await start('node', '/opt/a3s-box/krun-shim.cjs', 'id', `${directory}0`);
  await start('node', '/opt/other.cjs', 'id', directory);
  expect(findProcesses(directory, own).map(({ pid }) => pid)).toEqual([shim.pid]);
});

describe.runIf(process.geteuid?.() === 0)('a VMM that root has started', () => {
  const groups = [`--groups=${jailGroup(directory)}`, '--reuid=54321', '--regid=54321'];
  const box = (uid: number): boolean => uid === 54_321;

  /** Plays a compromised VMM that overwrites its own command line. */
  async function disguised(title: string, ...privileges: string[]): Promise<ChildProcess> {
    const script = `$|=1; $0 = ${title}; print "up"; sleep 600`;
    const args = [...privileges, '/usr/bin/perl', '-e', script, `${directory}/qmp.sock`];
    const child = spawn('/usr/bin/setpriv', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    if (child.stdout !== null) await once(child.stdout, 'data');
    return child;
  }

  it('finds and ends a VMM by its group, whatever its command line says', async () => {
    const other = `qemu-system-x86_64\\0/run/other/qmp.sock`;
    const hidden = [await disguised(`""`, ...groups), await disguised(`"${other}"`, ...groups)];
    const found = findProcesses(directory, box);
    expect(found.map(({ pid }) => pid).sort()).toEqual(hidden.map(({ pid }) => pid).sort());
    expect(found.every(({ inGroup }) => inGroup)).toBe(true);
    for (const each of found) killProcess(each);
    await untilGone(found, never);
    expect(findProcesses(directory, box)).toEqual([]);
  });

  it('does not count a process of another box into the group, whatever its command line says', async () => {
    const name = `"qemu-system-x86_64\\0${directory}/qmp.sock"`;
    const others = [`--groups=${jailGroup('/run/other')}`, '--reuid=54321', '--regid=54321'];
    await disguised(name, ...others);
    expect(findProcesses(directory, box).filter(({ inGroup }) => inGroup)).toEqual([]);
  });
});

it('finds the program below a keeper, whatever its command line says', async () => {
  const script = `$|=1; if (!fork) { $0 = "innocent"; print "$$\\n"; sleep 600; exit } wait`;
  const keeper = spawn('/usr/bin/perl', ['-e', script, '--', directory], {
    argv0: 'bwrap',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(keeper);
  const [line] = await once(keeper.stdout, 'data');
  const found = findProcesses(directory, own);
  expect(found.map(({ pid }) => pid)).toContain(Number(line));
  for (const each of found) killProcess(each);
  await untilGone(found, never);
});
