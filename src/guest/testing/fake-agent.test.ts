import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';

import { afterEach, expect, test } from 'vitest';
import { FakeAgent } from './fake-agent.ts';
import { fakeStreams } from './fake-streams.ts';

const connections: ClientHttp2Session[] = [];

afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy();
});

function open(agent: FakeAgent): ClientHttp2Session {
  const [host, guest] = fakeStreams();
  agent.serve(guest);
  const connection = connect('http://guest', { createConnection: () => host });
  connection.on('error', () => undefined);
  connections.push(connection);
  return connection;
}

async function request(
  connection: ClientHttp2Session,
  method: string,
  path: string,
  body?: unknown,
  version = '1',
): Promise<{ status: number; body: unknown }> {
  const stream = connection.request({ ':method': method, ':path': path, 'a3s-protocol': version });
  stream.end(body === undefined ? undefined : JSON.stringify(body));
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  let text = '';
  for await (const data of stream) text += String(data);
  return { status: Number(headers[':status']), body: text === '' ? undefined : JSON.parse(text) };
}

test('the fake agent answers hello without a version, and nothing else', async () => {
  const connection = open(new FakeAgent());
  const hello = await request(connection, 'GET', '/v1/hello', undefined, '');
  expect(hello).toMatchObject({ status: 200, body: { protocol: { minimum: 1, maximum: 22 } } });
  const state = await request(connection, 'GET', '/v1/state', undefined, '23');
  expect(state).toMatchObject({ status: 426, body: { error: { code: 'protocol-unsupported' } } });
});

test('the fake agent refuses requests before the spec, and a spec with an unknown key', async () => {
  const connection = open(new FakeAgent());
  expect(await request(connection, 'POST', '/v1/processes/main/start')).toMatchObject({
    status: 409,
    body: { error: { code: 'spec-missing' } },
  });
  expect(await request(connection, 'PUT', '/v1/spec', { schema: 'x' })).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid' } },
  });
});

test('the fake agent keeps its state across connections, and serves only the newest host', async () => {
  const agent = new FakeAgent();
  const first = open(agent);
  await request(first, 'GET', '/v1/state');
  const closed = once(first, 'close');
  const second = open(agent);
  expect(await request(second, 'GET', '/v1/state')).toEqual({
    status: 200,
    body: { spec: null, processes: [] },
  });
  await closed;
});
