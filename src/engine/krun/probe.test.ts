import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Vm } from '../vm/vm.ts';
import { type KrunProbe, probeKrun } from './probe.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-krun-probe-'));
  for (const name of ['library', 'kernel', 'initrd']) writeFileSync(join(root, name), name);
});
afterEach(() => rmSync(root, { recursive: true }));

const cacheFile = (): string => join(root, 'krun', 'probe.json');

/** A probe whose guests answer with what they are sent. */
function probe(launch: KrunProbe['launch'] = answering): KrunProbe {
  return {
    library: join(root, 'library'),
    boot: { kernelPath: join(root, 'kernel'), initrdPath: join(root, 'initrd'), commandLine: [] },
    cacheFile: cacheFile(),
    runtimeDir: join(root, 'p'),
    probeMs: 30_000,
    signal: new AbortController().signal,
    launch,
  } as KrunProbe;
}

const answering: KrunProbe['launch'] = async () => {
  const vm = { connect: async () => new PassThrough(), kill: async () => undefined };
  return { vm: vm as unknown as Vm, found: { atLeast: '1.9', missing: ['a'] } };
};
const failing: KrunProbe['launch'] = () => Promise.reject(new Error('no room'));

it('keeps that a guest boots, and no failure', async () => {
  const failure = await probeKrun(probe(failing));
  expect(failure.reason).toContain('no room');
  expect(failure.until).toBeGreaterThan(Date.now());
  expect(existsSync(cacheFile())).toBe(false);
  const success = { reason: undefined, atLeast: '1.9', missing: ['a'], until: undefined };
  expect(await probeKrun(probe())).toEqual(success);
  expect(await probeKrun(probe(failing))).toEqual(success);
});

it('says what it found where that cannot be kept', async () => {
  writeFileSync(join(root, 'krun'), 'no directory');
  expect((await probeKrun(probe())).reason).toBeUndefined();
});

it('says that the library cannot be read', async () => {
  rmSync(join(root, 'library'));
  expect((await probeKrun(probe())).reason).toContain('ENOENT');
});
