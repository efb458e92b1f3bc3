import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../usage-error.ts';
import { hashInput, readInput } from './input-file.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-input-'));
  writeFileSync(join(cwd, 'file'), 'content');
  mkdirSync(join(cwd, 'directory'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

/** It has no reader. */
const stdin = new PassThrough();

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('an input file', () => {
  it('reads a whole input file relative to the working directory', async () => {
    expect(text(await readInput({ cwd, stdin }, 'file', 7, ''))).toBe('content');
    expect(text(await readInput({ cwd: '/', stdin }, join(cwd, 'file'), 7, ''))).toBe('content');
  });

  it('reads an input file that is a pipe', async () => {
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    spawn('sh', ['-c', 'cat file > pipe'], { cwd });
    expect(text(await readInput({ cwd, stdin }, 'pipe', 7, ''))).toBe('content');
  });

  it('reads an empty input file', async () => {
    expect(await readInput({ cwd, stdin }, '/dev/null', 0, '')).toHaveLength(0);
  });

  it.each([
    ['file', 6, 'file is longer than 6 bytes, which is more than it may be'],
    ['/dev/zero', 100, '/dev/zero is longer than 100 bytes'],
    ['directory', 100, 'open directory: is a directory'],
    ['', 100, 'no file is named'],
    ['gone', 100, 'open gone: no such file or directory'],
    ['file/below', 100, 'open file/below: ENOTDIR'],
    ['nul\0', 100, 'open nul\0: ERR_INVALID_ARG_VALUE'],
  ])('refuses the input file %j within %i bytes', async (path, maxBytes, message) => {
    const refused = readInput({ cwd, stdin }, path, maxBytes, '--flag');
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(`--flag: ${message}`);
  });

  it('hashes an input file as a stream', async () => {
    const content = Buffer.alloc(3_000_000, 'abc');
    writeFileSync(join(cwd, 'large'), content);
    const expected = createHash('sha256').update(content).digest('hex');
    expect(Buffer.from(await hashInput({ cwd, stdin }, 'large', '')).toString('hex')).toBe(
      expected,
    );
    await expect(hashInput({ cwd, stdin }, 'gone', '')).rejects.toThrow(/^open gone: no such file/);
  });
});

describe('standard input', () => {
  const holding = (content: string): PassThrough => {
    const stream = new PassThrough();
    stream.end(content);
    return stream;
  };

  it('reads standard input for a dash, and a file named - for ./-', async () => {
    writeFileSync(join(cwd, '-'), 'a file');
    expect(text(await readInput({ cwd, stdin: holding('piped') }, '-', 5, ''))).toBe('piped');
    expect(text(await readInput({ cwd, stdin: holding('piped') }, './-', 6, ''))).toBe('a file');
  });

  it('bounds standard input like a file', async () => {
    await expect(readInput({ cwd, stdin: holding('piped') }, '-', 4, '--flag')).rejects.toThrow(
      '--flag: standard input is longer than 4 bytes',
    );
  });

  it('hashes standard input like a file', async () => {
    const expected = createHash('sha256').update('piped').digest('hex');
    const hash = await hashInput({ cwd, stdin: holding('piped') }, '-', '');
    expect(Buffer.from(hash).toString('hex')).toBe(expected);
  });

  it('lets only one flag read standard input', async () => {
    const ends = { cwd, stdin: holding('piped') };
    await readInput(ends, '-', 5, '--one');
    await expect(readInput(ends, '-', 5, '--other')).rejects.toThrow(
      '--other: standard input is read already, by another flag',
    );
  });
});
