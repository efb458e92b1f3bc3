/**
 * A headless Chromium that loads a test page.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';

/** How long a page may take, in milliseconds. */
const DEADLINE = 120_000;

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
];

/** Runs a script in a page; gives what it posts to `/result`. It finds `work` at `/work`. */
export async function runInBrowser(script: string, work: unknown): Promise<unknown> {
  const { server, result } = serve(script, JSON.stringify(work));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // Everything that it writes goes there.
  const home = await mkdtemp(join(tmpdir(), 'a3s-chromium-'));
  const browser = spawn(
    'chromium',
    [...FLAGS, `--user-data-dir=${home}/profile`, `http://127.0.0.1:${port}/`],
    { stdio: 'ignore', detached: true, env: { ...process.env, HOME: home, TMPDIR: home } },
  );
  const gone = once(browser, 'exit');
  try {
    return await Promise.race([
      result,
      gone.then(([status]) => {
        throw new Error(`chromium ended with ${status} before the page was done`);
      }),
      timeout(DEADLINE),
    ]);
  } finally {
    await endGroup(browser);
    server.closeAllConnections();
    server.close();
    await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Ends all the processes that a browser is, and waits until the last is gone. */
async function endGroup({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return;
  const deadline = performance.now() + 10_000;
  while (signalGroup(pid) && performance.now() < deadline) await setTimeoutPromise(20);
}

/** Whether there was anybody to end. */
function signalGroup(leader: number): boolean {
  try {
    process.kill(-leader, 'SIGKILL');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function serve(script: string, work: string): { server: Server; result: Promise<unknown> } {
  let settle: (value: unknown) => void = () => undefined;
  const result = new Promise<unknown>((resolve) => {
    settle = resolve;
  });
  const server = createServer(async (request, response) => {
    if (request.url === '/') {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>test</title><script src="/page.js"></script>');
    } else if (request.url === '/page.js') {
      response.setHeader('content-type', 'text/javascript');
      response.end(script);
    } else if (request.url === '/work') {
      response.setHeader('content-type', 'application/json');
      response.end(work);
    } else if (request.url === '/result') {
      settle(JSON.parse(await bodyOf(request)));
      response.end();
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  return { server, result };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function timeout(milliseconds: number): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`the page was not done after ${milliseconds} ms`));
    }, milliseconds);
    timer.unref();
  });
}
