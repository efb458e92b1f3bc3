import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeEnds, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const SIZE = 3_000_000;
const archive = join(directory, 'image.tar');
writeFileSync(archive, '');
truncateSync(archive, SIZE);

const LOADED = { lines: [{ stream: 'Loaded image: x:1\n' }] };
beforeEach(() => void server.answers.set('POST /images/load', LOADED));

const load = (args: string, ends: FakeEnds = {}) =>
  transcript(socket, ['load', ...args.split(' ').filter(Boolean)], ends);
/** Shows escape sequences as text. */
const escaped = (text: string): string => text.replaceAll('\x1b', '^');
const TERMINAL = { terminal: true, columns: 100 } as const;

describe('load', () => {
  it('draws a progress bar for load on a terminal, and sends the same bytes', async () => {
    const done = await load(`-i ${archive}`, TERMINAL);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toMatch(/\rimage\.tar: Loading \[=*> *\] +[0-9.]+[kM]?B\/3MB/);
    // The last status shows the total size.
    expect(escaped(done.stdout)).toMatch(/\rimage\.tar: Read +3MB\^\[K\n\^\[J$/);
    expect(done.stdout).toContain('\rLoaded image: x:1\x1b[K\n');
    expect(server.called('POST /images/load')?.body).toBe('\0'.repeat(SIZE));
  });

  it('shows how much of a load of unknown size was read', async () => {
    const stdin = new PassThrough().end(Buffer.alloc(5000)) as PassThrough;
    const done = await load('', { ...TERMINAL, stdin });
    expect(done.stdout).toMatch(/\rstandard input: Read +5kB/);
    expect(done.stdout).not.toContain('[=');
    mkdirSync(join(directory, 'layout'), { recursive: true });
    writeFileSync(join(directory, 'layout/oci-layout'), '{}');
    expect((await load(`-i ${directory}/layout`, TERMINAL)).stdout).toMatch(/\rlayout: Read /);
  });

  it('draws no progress bar to a pipe or with --quiet', async () => {
    expect((await load(`-i ${archive}`)).stdout).toBe('Loaded image: x:1\n');
    expect((await load(`-q -i ${archive}`, TERMINAL)).stdout).toBe('Loaded image: x:1\n');
    const dumb = await load(`-i ${archive}`, { ...TERMINAL, env: { TERM: 'dumb' } });
    expect(dumb.stdout).toBe('Loaded image: x:1\n');
  });

  it('prints the server’s refusal below the progress bar', async () => {
    const error = { error: 'Cannot load it', errorDetail: {}, code: 'invalid-image' };
    server.answers.set('POST /images/load', { lines: [error] });
    const done = await load(`-i ${archive}`, TERMINAL);
    expect(done.status).toBe(1);
    expect(done.stderr).toBe('a3s-box: Cannot load it (invalid-image)\n');
    expect(escaped(done.stdout)).toMatch(/\^\[J$/);
  });

  it('reports why a directory could not be read', async () => {
    const linked = join(directory, 'linked');
    mkdirSync(linked);
    writeFileSync(join(linked, 'oci-layout'), '{}');
    symlinkSync('/etc', join(linked, 'blobs'));
    for (const ends of [{}, TERMINAL]) {
      const done = await load(`-i ${linked}`, ends);
      expect(done.status).toBe(1);
      expect(done.stderr).toMatch(/is neither a file nor a directory \(invalid-image\)\n/);
    }
  });
});
