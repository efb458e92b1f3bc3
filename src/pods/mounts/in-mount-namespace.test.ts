import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inMountNamespace } from './in-mount-namespace.ts';
import { type MountCalls, mountCalls } from './mount-calls.ts';

describe.runIf(process.geteuid?.() === 0)('work in a mount namespace', () => {
  let root: string;
  let other: ChildProcess;
  let namespace: number;
  let calls: MountCalls;
  const place = () => [readlinkSync('/proc/thread-self/ns/mnt'), process.cwd(), process.umask()];

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'a3s-namespace-'));
    const script = 'mount -t tmpfs tmpfs "$0" && touch "$0/inside" && echo there && read -r _';
    other = spawn('unshare', ['--mount', 'sh', '-c', script, root]);
    await once(other.stdout ?? other, 'data');
    namespace = openSync(`/proc/${other.pid}/ns/mnt`, 'r');
    calls = await mountCalls();
  });
  afterEach(async () => {
    closeSync(namespace);
    other.stdin?.end();
    await once(other, 'exit');
    rmSync(root, { recursive: true });
  });

  it('sees its files, and comes back to its own namespace and directory', () => {
    const before = place();
    const path = join(root, 'inside');
    expect(inMountNamespace(calls, namespace, () => existsSync(path))).toBe(true);
    expect(existsSync(path)).toBe(false);
    expect(place()).toEqual(before);
  });

  it('comes back from work that fails', () => {
    const before = place();
    const fail = (): never => {
      throw new Error('no');
    };
    expect(() => inMountNamespace(calls, namespace, fail)).toThrow('no');
    expect(place()).toEqual(before);
  });

  it('refuses a file that is no namespace, and stays where it is', () => {
    const before = place();
    const file = openSync('/dev/null', 'r');
    const refused = expect.objectContaining({ code: 'state-unusable' });
    expect(() => inMountNamespace(calls, file, place)).toThrow(refused);
    closeSync(file);
    expect(place()).toEqual(before);
  });
});
