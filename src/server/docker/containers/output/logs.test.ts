import { readdirSync, statSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

type Options = Record<string, string>;

async function make(args: readonly string[], driver: string, options: Options = {}, more = {}) {
  return await home.create(args, {
    HostConfig: { LogConfig: { Type: driver, Config: options } },
    Tty: true,
    ...more,
  });
}

async function ended(id: string): Promise<void> {
  await home.call('POST', `/containers/${id}/start`);
  await home.call('POST', `/containers/${id}/wait`);
}

async function logs(id: string, query = ''): Promise<unknown> {
  return (await home.call('GET', `/containers/${id}/logs?stdout=1&stderr=1${query}`)).body;
}

/** The log without conversion to text. */
async function written(id: string): Promise<Buffer> {
  const path = `/containers/${id}/logs?stdout=1`;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ socketPath: home.config.socket, path, agent: false }, resolve).on('error', reject);
  });
  return await buffer(response);
}

/** The output of an attached client from now on. */
function attached(id: string): Promise<Buffer> {
  const socket = connect({ path: home.config.socket, allowHalfOpen: true });
  socket.write(
    `POST /containers/${id}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  const parts: Buffer[] = [];
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => parts.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => {
      socket.destroy();
      const all = Buffer.concat(parts);
      resolve(all.subarray(all.indexOf('\r\n\r\n') + 4));
    });
  });
}

const until = async (what: () => unknown): Promise<void> => {
  await expect.poll(what, { timeout: 120_000 }).toBeTruthy();
};

it('sends output under the log driver none to attached clients only, and stores none', async () => {
  const id = await make(['bytes', '6000000'], 'none');
  const seen = attached(id);
  await until(async () => (await home.call('GET', `/containers/${id}/json`)).status === 200);
  await ended(id);
  const bytes = await seen;
  expect(bytes.length).toBe(6_000_000);
  expect(bytes.every((byte, index) => byte === index % 251)).toBe(true);
  for (const path of ['logs?stdout=1', 'logs?stdout=1&follow=1']) {
    expect(await home.call('GET', `/containers/${id}/${path}`)).toMatchObject({
      status: 501,
      body: { message: 'configured logging driver does not support reading' },
    });
  }
  expect(await home.call('POST', `/containers/${id}/attach?logs=1&stdout=1`)).toMatchObject({
    status: 501,
  });
  expect(readdirSync(join(home.config.home, 'boxes', id)).join(' ')).not.toContain('output');
});

it('attaches again after a server restart under the log driver none', async () => {
  const id = await make(['cat'], 'none', {}, { OpenStdin: true, Tty: false });
  await home.call('POST', `/containers/${id}/start`);
  await home.crash();
  await home.start();
  const socket = connect({ path: home.config.socket, allowHalfOpen: true });
  socket.end(
    `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nagain\n`,
  );
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  await until(() => received.includes('again\n'));
  socket.destroy();
});

it.each([
  ['json-file', { 'max-size': '20k', 'max-file': '3' }],
  ['local', { 'max-size': '20k', 'max-file': '3' }],
])(
  'keeps the output that the options of the log driver %s allow, across a crash',
  async (driver, options) => {
    const id = await make(['sh', '-c', 'bytes 200000;sleep 1;bytes 200000'], driver, options);
    await home.call('POST', `/containers/${id}/start`);
    await until(async () => String(await logs(id)).length > 0);
    await home.crash();
    await home.start();
    await home.call('POST', `/containers/${id}/wait`);
    const directory = join(home.config.home, 'boxes', id);
    const files = readdirSync(directory).filter((name) => name.startsWith('output.log'));
    const size = files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    expect(size).toBeLessThanOrEqual(60_000);
    const bytes = await written(id);
    expect(bytes.length).toBeGreaterThan(35_000);
    const first = 200_000 - bytes.length;
    expect(bytes.every((byte, index) => byte === (first + index) % 251)).toBe(true);
  },
);

it('shows the labels and variables that the log options name', async () => {
  const options = { labels: 'team,none', env: 'MINE' };
  const id = await make(['echo', 'hello'], 'json-file', options, {
    Labels: { team: 'a b' },
    Env: ['MINE=x&y'],
  });
  await ended(id);
  expect(await logs(id)).toBe('hello\n');
  expect(await logs(id, '&details=1')).toBe('MINE=x%26y,team=a+b hello\n');
  expect(await logs(id, '&details=1&timestamps=1')).toMatch(
    /^\d{4}-\S+Z MINE=x%26y,team=a\+b hello\n$/,
  );
});

it('follows logs across restarts by policy up to the last run', async () => {
  const id = await make(
    ['sh', '-c', 'echo started;exit 3'],
    'json-file',
    {},
    {
      HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
    },
  );
  await home.call('POST', `/containers/${id}/start`);
  expect(await logs(id, '&follow=1')).toBe('started\n'.repeat(3));
  expect((await home.call('GET', `/containers/${id}/json`)).body).toMatchObject({
    RestartCount: 2,
    State: { Status: 'exited', ExitCode: 3 },
  });
  expect(await logs(id, '&follow=1')).toBe('started\n'.repeat(3));
});

it('ends following logs when a restarting box is stopped or removed', async () => {
  for (const end of ['stop', 'remove']) {
    const id = await make(
      ['sh', '-c', 'echo started;exit 3'],
      'json-file',
      {},
      {
        HostConfig: { RestartPolicy: { Name: 'always' } },
      },
    );
    await home.call('POST', `/containers/${id}/start`);
    const following = logs(id, '&follow=1');
    await until(async () => String(await logs(id)).startsWith('started\nstarted\n'));
    if (end === 'stop') await home.call('POST', `/containers/${id}/stop`);
    else await home.call('DELETE', `/containers/${id}?force=1`);
    expect(await following).toMatch(/^(started\n){2,}$/);
  }
});
