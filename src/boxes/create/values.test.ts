import { describe, expect, it } from 'vitest';
import { timestamp } from '../record/clock.ts';
import { checkName, inventName } from '../record/name.ts';
import { copyInput, DETACHED } from '../run/stdio.ts';
import { parseSignal } from '../verbs/signal.ts';
import { mergeEnvironment, overrideEnvironment, processEnvironment } from './environment.ts';
import { boxMemory, machineCpus, machineMemory } from './resources.ts';

const MIB = 2 ** 20;

describe('environment', () => {
  it('puts the image’s entries behind the user’s, and an entry of one name once', () => {
    expect(mergeEnvironment(['A=2', 'B'], ['A=1', 'B=1', 'C=1'])).toEqual(['A=2', 'B', 'C=1']);
  });

  it('starts from Docker’s own variables, which entries override or remove', () => {
    expect(processEnvironment('h', true, ['PATH=/x', 'HOSTNAME', 'A=1'])).toEqual([
      ...['PATH=/x', 'TERM=xterm', 'A=1'],
    ]);
    expect(overrideEnvironment(['A=1', 'B=2'], ['A=', 'A=3=4'])).toEqual(['A=3=4', 'B=2']);
  });
});

describe('names', () => {
  it.each(['ab', '/ab', 'A.b_c-d', '0a'])('takes %s', (name) => {
    expect(checkName(name)).toBe(name.replace('/', ''));
  });

  it.each(['', 'a', '-a', '.a', 'a b', 'a/b', 'ä', 'a'.repeat(254)])('refuses %j', (name) => {
    expect(() => checkName(name)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  it('are made up until one is free', () => {
    let asked = 0;
    const name = inventName(() => ++asked < 20);
    expect(name).toMatch(/^[a-z]+_[a-z]+\d+$/);
  });
});

describe('signals', () => {
  it.each([
    ['TERM', 'SIGTERM'],
    ['sigterm', 'SIGTERM'],
    ['15', '15'],
    ['RTMIN+3', 'SIGRTMIN+3'],
  ])('%s is %s', (text, signal) => {
    expect(parseSignal(text)).toBe(signal);
  });

  it.each(['', '0', '65', 'SIGNOPE', 'constructor', '-9', '9x'])('refuses %j', (text) => {
    expect(() => parseSignal(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});

describe('resources', () => {
  it('give the box what it asks for, and the guest what it needs beside', () => {
    expect(machineMemory(0)).toBe(512 * MIB);
    expect(boxMemory(0)).toBe(416 * MIB);
    expect(machineMemory(64 * MIB)).toBe(160 * MIB);
    expect(machineMemory(64 * MIB + 1)).toBe(162 * MIB);
    // The kernel describes every page.
    expect(machineMemory(8192 * MIB)).toBe((8192 + 96 + 120) * MIB);
    expect([0, 1e7, 1e9, 1.1e9].map(machineCpus)).toEqual([1, 1, 1, 2]);
  });
});

describe('time', () => {
  it('has nine digits behind the second', () => {
    expect(timestamp(1_767_225_600_000_000_001n)).toBe('2026-01-01T00:00:00.000000001Z');
  });
});

describe('detach keys', () => {
  const KEYS = Uint8Array.of(16, 17);

  async function type(...chunks: readonly (readonly number[])[]) {
    const passed: number[] = [];
    const input = (async function* () {
      for (const chunk of chunks) yield Uint8Array.from(chunk);
    })();
    const result = await copyInput(input, KEYS, async (bytes) => {
      passed.push(...bytes);
    });
    return { passed, detached: result === DETACHED };
  }

  it('detach also when they come in two chunks, and are not passed on', async () => {
    expect(await type([1, 16, 17, 2])).toEqual({ passed: [1], detached: true });
    expect(await type([1, 16], [17, 2])).toEqual({ passed: [1], detached: true });
    expect(await type([16, 16, 17])).toEqual({ passed: [16], detached: true });
  });

  it('are input when only one of them is typed', async () => {
    expect(await type([16, 1, 17], [16], [1])).toEqual({
      passed: [16, 1, 17, 16, 1],
      detached: false,
    });
  });
});
