/**
 * A headless Chromium on a page of ours.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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
  const profile = await mkdtemp(join(tmpdir(), 'a3s-chromium-'));
  const browser = spawn(
    'chromium',
    [...FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`],
    { stdio: 'ignore', detached: true },
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
    // The whole group: a browser is many processes.
    if (browser.pid !== undefined && browser.exitCode === null)
      process.kill(-browser.pid, 'SIGKILL');
    await gone.catch(() => undefined);
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
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
