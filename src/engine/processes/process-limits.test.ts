import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { limitProcess, maskOf } from './process-limits.ts';
import { findDescendant } from './processes.ts';

const asRoot = process.geteuid?.() === 0;
/** A processor that this process may run on. */
const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
const one = Number(allowed?.[1]);

let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));

/** A program with several threads, in a session of its own. */
async function program() {
  const code = 'setInterval(() => undefined, 1e6); console.log(1)';
  child = spawn(process.execPath, ['-e', code], { detached: true, stdio: ['ignore', 'pipe', 2] });
  if (child.stdout !== null) await once(child.stdout, 'data');
  const found = findDescendant(child.pid ?? 0, 'node', '/nowhere');
  if (found === undefined) throw new Error('it is not there');
  return found;
}

function threads(pid: number) {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const at = `/proc/${pid}/task/${thread}`;
    const stat = readFileSync(`${at}/stat`, 'utf8');
    return {
      cpus: /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`${at}/status`, 'utf8'))?.[1],
      nice: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]),
    };
  });
}

function group(pid: number): string {
  return readFileSync(`/proc/${pid}/autogroup`, 'utf8');
}

describe('a process', () => {
  it('limits CPUs and nice value of a process, all its threads and its session', async () => {
    const found = await program();
    const before = threads(found.pid).length;
    expect(before).toBeGreaterThan(1);
    await limitProcess(found, { processors: [one], nice: 7 });
    const held = threads(found.pid);
    expect(held.length).toBeGreaterThanOrEqual(before);
    expect(new Set(held.map(({ cpus }) => cpus))).toEqual(new Set([String(one)]));
    expect(new Set(held.map(({ nice }) => nice))).toEqual(new Set([7]));
    expect(group(found.pid)).toMatch(/ nice 7$/m);
  });

  it.runIf(asRoot)('removes the limits of a process again', async () => {
    const found = await program();
    const before = threads(found.pid)[0]?.cpus;
    await limitProcess(found, { processors: [one], nice: 7 });
    await limitProcess(found, { processors: [], nice: 0 });
    expect(new Set(threads(found.pid).map(({ cpus }) => cpus))).toEqual(new Set([before]));
    expect(new Set(threads(found.pid).map(({ nice }) => nice))).toEqual(new Set([0]));
    expect(group(found.pid)).toMatch(/ nice 0$/m);
  });

  it('keeps a nice value that the new limits do not mention', async () => {
    const found = await program();
    await limitProcess(found, { nice: 5 });
    await limitProcess(found, { processors: [one] });
    expect(new Set(threads(found.pid).map(({ nice }) => nice))).toEqual(new Set([5]));
    expect(group(found.pid)).toMatch(/ nice 5$/m);
  });

  it('refuses processors that the host does not have', async () => {
    const found = await program();
    await expect(limitProcess(found, { processors: [8191] })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  it('leaves a process alone that reuses the id of an ended one', async () => {
    const found = await program();
    const before = threads(found.pid)[0];
    await limitProcess({ ...found, startTime: '1' }, { processors: [one], nice: 17 });
    expect(threads(found.pid).map(({ nice }) => nice)).not.toContain(17);
    expect(threads(found.pid)[0]).toEqual(before);
  });
});

it('numbers processors from the lowest bit of the mask', () => {
  const mask = maskOf([0, 9, 15]);
  expect([...mask.slice(0, 3)]).toEqual([0b1, 0b1000_0010, 0]);
  expect(maskOf([]).every((byte) => byte === 0xff)).toBe(true);
});
