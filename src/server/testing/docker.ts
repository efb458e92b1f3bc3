/**
 * Docker's own command line against a control server, for tests.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DockerResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The bytes of standard output. */
  readonly bytes: Buffer;
}

/** Runs `docker ARGS` with `input` as its standard input, and `more` in its environment. */
export function docker(
  socket: string,
  args: readonly string[],
  input: string | Uint8Array = '',
  more: Readonly<Record<string, string>> = {},
): Promise<DockerResult> {
  // Docker's plugins make directories in it.
  const home = mkdtempSync(join(tmpdir(), 'a3s-docker-'));
  return new Promise<DockerResult>((resolve, reject) => {
    const child = spawn('docker', args, {
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        DOCKER_HOST: `unix://${socket}`,
        ...more,
      },
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', reject);
    // A command that does not read its input ends before all of it is written.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('close', (code) => {
      const bytes = Buffer.concat(stdout);
      const text = Buffer.concat(stderr).toString();
      resolve({ code, bytes, stdout: bytes.toString(), stderr: text });
    });
  }).finally(() => rmSync(home, { recursive: true, force: true }));
}
