import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { listenFor } from './listener.ts';

/** Serves on the inherited descriptor 3, once Node.js has started. */
const PROGRAM = `require('net').createServer((c) => c.end('served')).listen({ fd: 3 });`;

it('accepts connections before the program serves, and leaves the socket to the program', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'listen-'));
  const path = join(directory, 'a.sock');
  const listener = await listenFor(path);
  const child = spawn(process.execPath, ['-e', PROGRAM], {
    stdio: ['ignore', 'ignore', 'inherit', listener.fd],
  });
  try {
    await listener.close();
    expect(await readdir(directory)).toEqual(['a.sock']);
    for (let n = 0; n < 2; n++) expect(await text(connect(path))).toBe('served');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
    await rm(directory, { recursive: true });
  }
});
