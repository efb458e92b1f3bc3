import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { startProgram } from './start-program.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-start-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('a program that serves a limited box', () => {
  const start = (script: string, more = {}) => {
    const run = async () => {
      const stdio = ['ignore', 'pipe', 'ignore'] as const;
      const child = spawn('/bin/sh', ['-c', script], { stdio: [...stdio] });
      await once(child, 'spawn');
      return child;
    };
    const program = { start: run, pidFile: join(directory, 'pid'), ...more };
    return startProgram(program, async () => 'its last line');
  };

  it('records the number of a program once it is ready', async () => {
    await start('echo ready; exec sleep 60');
    const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    expect(process.kill(pid, 'SIGKILL')).toBe(true);
  });

  it('fails with its own words where it ends before it is ready', async () => {
    await expect(start('exit 1')).rejects.toMatchObject({
      code: 'network-failed',
      message: 'Cannot limit what the box reaches: its last line',
    });
  });

  it('ends a program that is not ready in time, with a remedy for that', async () => {
    await expect(start('exec sleep 60', { readyMs: 1 })).rejects.toMatchObject({
      code: 'network-failed',
      message: expect.stringMatching(/: its program did not start within 0\.001 s$/),
      remedy: expect.stringContaining('too busy'),
    });
    const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('fails where there is no such program, or no jail for it', async () => {
    const failing = (error: Error) => start('', { start: () => Promise.reject(error) });
    await expect(failing(new Error('spawn ENOENT'))).rejects.toMatchObject({
      code: 'network-failed',
      message: expect.stringContaining('ENOENT'),
    });
    const weak = new A3sError('state-unusable', 'no jail');
    await expect(failing(weak)).rejects.toBe(weak);
  });
});
