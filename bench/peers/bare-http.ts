/**
 * A plain server of Node's on a unix socket that answers every request with the same bytes, in its
 * own process: the upper bound for the control server.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAM = `
const [path, body] = process.argv.slice(1);
const bytes = require('node:fs').readFileSync(body);
const headers = { 'content-type': 'application/json', 'content-length': bytes.length };
require('node:http')
  .createServer((_, response) => response.writeHead(200, headers).end(bytes))
  .listen(path, () => process.stdout.write('listening'));
`;

/** Runs `use` with the path of its socket. */
export async function withBareHttp<T>(
  directory: string,
  body: string,
  use: (socketPath: string) => Promise<T>,
): Promise<T> {
  const socketPath = join(directory, 'bare.sock');
  const file = join(directory, 'bare-body');
  writeFileSync(file, body);
  const child = spawn(process.execPath, ['-e', PROGRAM, '--', socketPath, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    await once(child.stdout, 'data');
    return await use(socketPath);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}
