/**
 * Gives all tests of a file a fake server, which is reset before each test, and a directory.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { FakeServer } from './fake-server.ts';

export interface ServedFake {
  readonly server: FakeServer;
  readonly socket: string;
  readonly directory: string;
}

/** To be called outside of any test. */
export function serveFake(): ServedFake {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-cli-'));
  const socket = join(directory, 's');
  const server = new FakeServer();
  beforeAll(() => server.listen(socket));
  afterEach(() => {
    server.answers.clear();
    server.pulled.clear();
    server.boxes.clear();
    server.calls.length = 0;
  });
  afterAll(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return { server, socket, directory };
}
