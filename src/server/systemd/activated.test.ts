import { once } from 'node:events';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { activatedSockets } from './activated.ts';
import { listenOn } from './listen.ts';
import { UnixSocket } from './testing/unix-socket.ts';

const UID = process.getuid?.() ?? 0;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-act-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function listening(name: string, mode = 0o600): UnixSocket {
  const path = join(directory, name);
  const socket = new UnixSocket('stream', path).listen();
  chmodSync(path, mode);
  return socket;
}

describe('activatedSockets', () => {
  it('finds the path of each activated socket', async () => {
    const sockets = [listening('one'), listening('two')];
    const descriptors = sockets.map(({ descriptor }) => descriptor);
    expect(await activatedSockets(descriptors, UID)).toEqual(
      ['one', 'two'].map((name, index) => ({
        ...{ descriptor: descriptors[index], path: join(directory, name) },
      })),
    );
    for (const socket of sockets) socket.close();
  });

  async function expectRefused(socket: UnixSocket, why: RegExp, uid = UID): Promise<void> {
    await expect(activatedSockets([socket.descriptor], uid)).rejects.toMatchObject({
      code: 'state-unusable',
      message: expect.stringMatching(why),
    });
    socket.close();
  }

  it('refuses an activated socket that others could connect to', async () => {
    await expectRefused(listening('group', 0o660), /mode 0660/);
    await expectRefused(listening('all', 0o606), /mode 0606/);
    await expectRefused(listening('other'), /belongs to user/, UID + 1);
    await expectRefused(new UnixSocket('stream', `@a3s-${process.pid}`).listen(), /absolute path/);
  });

  it('refuses an activated descriptor that does not listen at its path', async () => {
    await expectRefused(new UnixSocket('stream', join(directory, 'deaf')), /does not listen/);
    await expectRefused(new UnixSocket('datagram', join(directory, 'dgram')), /stream/);
    const gone = listening('gone');
    rmSync(join(directory, 'gone'));
    await expectRefused(gone, /is not it/);
    const descriptor = openSync('/dev/null', 'r');
    await expect(activatedSockets([descriptor], UID)).rejects.toMatchObject({
      code: 'state-unusable',
    });
    closeSync(descriptor);
  });
});

describe('listenOn', () => {
  it('serves on all activated sockets, and leaves their files to the service manager', async () => {
    const server = createServer((_, response) => response.end('served'));
    for (const name of ['one', 'two']) {
      const beside = await listenOn(server, listening(name).descriptor);
      expect(beside === undefined).toBe(name === 'one');
      server.once('close', () => beside?.close());
    }
    for (const name of ['one', 'two']) {
      const socket = connect(join(directory, name));
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      expect(await text(socket)).toMatch(/served/);
    }
    const closed = once(server, 'close');
    server.close();
    await closed;
    expect(['one', 'two'].map((name) => existsSync(join(directory, name)))).toEqual([true, true]);
  });
});
