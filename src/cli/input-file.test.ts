import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashInputFile, readInput, readInputFile } from './input-file.ts';
import { UsageError } from './usage-error.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-input-'));
  writeFileSync(join(cwd, 'file'), 'content');
  mkdirSync(join(cwd, 'directory'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('an input file', () => {
  it('is read whole, from where the command was called', async () => {
    expect(text(await readInputFile({ cwd }, 'file', 7))).toBe('content');
    expect(text(await readInputFile({ cwd: '/' }, join(cwd, 'file'), 7))).toBe('content');
  });

  it('may be a pipe', async () => {
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    spawn('sh', ['-c', 'cat file > pipe'], { cwd });
    expect(text(await readInputFile({ cwd }, 'pipe', 7))).toBe('content');
  });

  it('may be empty', async () => {
    expect(await readInputFile({ cwd }, '/dev/null', 0)).toHaveLength(0);
  });

  it.each([
    ['file', 6, 'file is longer than 6 bytes, which is more than it may be'],
    ['/dev/zero', 100, '/dev/zero is longer than 100 bytes'],
    ['directory', 100, 'open directory: is a directory'],
    ['gone', 100, 'open gone: no such file or directory'],
    ['file/below', 100, 'open file/below: ENOTDIR'],
    ['nul\0', 100, 'open nul\0: ERR_INVALID_ARG_VALUE'],
  ])('is refused: %j within %i bytes', async (path, maxBytes, message) => {
    const refused = readInputFile({ cwd }, path, maxBytes);
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(message);
  });

  it('is hashed as it is read', async () => {
    const content = Buffer.alloc(3_000_000, 'abc');
    writeFileSync(join(cwd, 'large'), content);
    const expected = createHash('sha256').update(content).digest('hex');
    expect(Buffer.from(await hashInputFile({ cwd }, 'large')).toString('hex')).toBe(expected);
    await expect(hashInputFile({ cwd }, 'gone')).rejects.toThrow('open gone: no such file');
  });
});

describe('standard input', () => {
  const stdin = (content: string): PassThrough => {
    const stream = new PassThrough();
    stream.end(content);
    return stream;
  };

  it('is meant by a dash, and a file of that name by ./-', async () => {
    writeFileSync(join(cwd, '-'), 'a file');
    expect(text(await readInput({ cwd, stdin: stdin('piped') }, '-', 5))).toBe('piped');
    expect(text(await readInput({ cwd, stdin: stdin('piped') }, './-', 6))).toBe('a file');
  });

  it('is as bounded as a file', async () => {
    await expect(readInput({ cwd, stdin: stdin('piped') }, '-', 4)).rejects.toThrow(
      'standard input is longer than 4 bytes',
    );
  });
});
