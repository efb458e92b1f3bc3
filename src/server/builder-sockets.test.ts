import { existsSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BuilderSocket } from '../docker-api/a3s/builder.ts';
import { A3sError } from '../errors.ts';
import { TestHome } from './testing/home.ts';

let home: TestHome;
/** Names of builders that the server looked for. */
let asked: string[];

beforeEach(async () => {
  asked = [];
  home = new TestHome();
  home.builders = {
    runs: (name) => {
      asked.push(name);
      return false;
    },
    use: () => Promise.reject(new A3sError('builder-missing', 'None')),
  };
  await home.start();
});
afterEach(() => home.remove());

async function socketOf(name: string): Promise<string> {
  const { status, body } = await home.call('POST', `/a3s/v1/builders/${name}/socket`);
  expect({ status, body }).toMatchObject({ status: 200, body: { name } });
  return (body as BuilderSocket).socket;
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path }, (response) => resolve(text(response)));
    sent.once('error', reject).end();
  });
}

it('serves each builder on a socket of its own, with all other routes', async () => {
  const [one, two] = [await socketOf('one'), await socketOf('two')];
  expect(await socketOf('one')).toBe(one);
  expect(new Set([one, two, home.config.socket]).size).toBe(3);
  expect(statSync(one).mode & 0o777).toBe(0o600);
  for (const socket of [one, home.config.socket, two]) {
    expect(await get(socket, '/_ping')).toBe('OK');
    await get(socket, '/system/df?type=build-cache');
  }
  expect(asked).toEqual(['one', 'default', 'two']);
});

it('serves the builder of clients that name none on a socket as well', async () => {
  await get(await socketOf('default'), '/system/df?type=build-cache');
  expect(asked).toEqual(['default']);
});

it('removes the sockets when the server ends', async () => {
  const socket = await socketOf('one');
  await home.stop();
  expect(existsSync(socket)).toBe(false);
});

it('refuses a name that no builder can have, and more sockets than there may be', async () => {
  const refused = await home.call('POST', '/a3s/v1/builders/a%2Fb/socket');
  expect(refused).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
  for (let n = 0; n < 32; n += 1) await socketOf(`b${n}`);
  const beyond = await home.call('POST', '/a3s/v1/builders/beyond/socket');
  expect(beyond).toMatchObject({ status: 409, body: { code: 'conflict' } });
});
