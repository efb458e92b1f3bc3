import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { transcript } from '../../../testing/fake-context.ts';
import { serveFake } from '../../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

describe('diff', () => {
  it('prints one line for each change, whatever a box calls its files', async () => {
    server.answers.set('GET /containers/web/changes', {
      json: [
        { Path: '/etc', Kind: 0 },
        { Path: '/etc/new', Kind: 1 },
        { Path: '/etc/a\nD /etc/b\u001b[2J', Kind: 2 },
      ],
    });
    const { status, stdout } = await transcript(socket, ['diff', 'web']);
    expect({ status, lines: stdout.split('\n') }).toEqual({
      status: 0,
      lines: ['C /etc', 'A /etc/new', expect.stringMatching(/^D \/etc\/a D \/etc\/b/), ''],
    });
    expect(stdout).not.toContain('\u001b');
  });
});

describe('export', () => {
  const archive = Buffer.alloc(300_000, 'tar');

  it('writes the archive to standard output, or to a file', async () => {
    server.answers.set('GET /containers/web/export', { bytes: archive });
    expect((await transcript(socket, ['export', 'web'])).bytes.equals(archive)).toBe(true);
    const done = await transcript(socket, ['export', '-o', 'out.tar', 'web'], { cwd: directory });
    expect(done.status).toBe(0);
    expect(readFileSync(join(directory, 'out.tar')).equals(archive)).toBe(true);
  });

  it('refuses a terminal, and leaves no file where the box is missing', async () => {
    const refused = await transcript(socket, ['export', 'web'], { terminal: true });
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain('cowardly refusing to save to a terminal');
    const missing = await transcript(socket, ['export', '-o', 'none.tar', 'gone'], {
      cwd: directory,
    });
    expect(missing.status).toBe(1);
    expect(existsSync(join(directory, 'none.tar'))).toBe(false);
  });
});
