import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endPasta, isServing } from './pasta.ts';

const NAMESPACE = '/run/a3s-box-test/namespace';
/** A stand-in that has a port, and so much memory that its end takes a while. */
const STAND_IN = `
  use IO::Socket::INET;
  $| = 1;
  my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die;
  my $memory = 'x' x (256 << 20);
  print $socket->sockport . "\\n";
  sleep 600`;

let directory: string;
let pidFile: string;
let child: ChildProcess;
let port: number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-pasta-'));
  pidFile = join(directory, 'pasta.pid');
  const started = spawn('/usr/bin/perl', ['-e', STAND_IN, '--', NAMESPACE], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  const [line] = await once(started.stdout, 'data');
  port = Number(line);
  writeFileSync(pidFile, `${child.pid}\n`);
});

afterEach(() => {
  child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

it('ends a pasta, whose port is free then', async () => {
  expect(isServing(NAMESPACE, pidFile)).toBe(true);
  await endPasta(NAMESPACE, pidFile);
  await listen(port);
  expect(existsSync(pidFile)).toBe(false);
});

it('waits for the end of a pasta that another program has killed', async () => {
  child.kill('SIGKILL');
  // What it was started with is gone before its port is.
  await expect.poll(() => commandLine()).toBe('');
  await endPasta(NAMESPACE, pidFile);
  await listen(port);
});

it('leaves the process alone that has the number of a pasta by now', async () => {
  await endPasta('/run/a3s-box-test/other', pidFile);
  expect(commandLine()).toContain(NAMESPACE);
  expect(existsSync(pidFile)).toBe(false);
});

/** Empty too where the process is gone. */
function commandLine(): string {
  try {
    return readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function listen(on: number): Promise<void> {
  const server = createServer();
  server.listen(on, '127.0.0.1');
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
