import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { connectGuest } from './connection.ts';
import type { Guest } from './guest.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import type { FakeAgentOptions } from './testing/fake-agent-options.ts';
import { fakeVm } from './testing/fake-vm.ts';

const open: { agent: FakeAgent; guest: Guest }[] = [];
const { signal } = new AbortController();

afterEach(() => {
  for (const { agent, guest } of open.splice(0)) {
    guest.close();
    agent.kill();
  }
});

async function connect(options: FakeAgentOptions = {}) {
  const agent = new FakeAgent(options);
  const guest = await connectGuest(fakeVm(agent), { signal, deadlineMs: 5000 });
  open.push({ agent, guest });
  return { agent, guest };
}

it('carries a connection to a socket of the box, whose directions end one after the other', async () => {
  const { agent, guest } = await connect();
  agent.sockets.listening.set('/run/docker.sock', (connection) => {
    void text(connection).then((all) => connection.end(all.toUpperCase()));
  });
  const connection = await guest.connectSocket('/run/docker.sock');
  connection.end('hello');
  expect(await text(connection)).toBe('HELLO');
});

it('connects to a port of the loopback, and says where nobody listens', async () => {
  const { agent, guest } = await connect();
  agent.sockets.ports.set(8080, (connection) => {
    void text(connection).then((all) => connection.end(all.toUpperCase()));
  });
  const connection = await guest.dialPort(8080);
  connection.end('hello');
  expect(await text(connection)).toBe('HELLO');
  await expect(guest.dialPort(8081)).rejects.toMatchObject({ guestCode: 'socket-refused' });
  const older = await connect({ protocol: { minimum: 1, maximum: 12 } });
  await expect(older.guest.dialPort(8080)).rejects.toMatchObject({ code: 'agent-failed' });
});

it('gives each waiting request one connection of the box', async () => {
  const { agent, guest } = await connect();
  const accepting = [guest.acceptConnection(3128), guest.acceptConnection(3128)];
  const dialled = await Promise.all([agent.sockets.dial(3128), agent.sockets.dial(3128)]);
  for (const [index, connection] of dialled.entries()) connection.end(`from ${index}`);
  const accepted = await Promise.all(accepting);
  expect(await Promise.all(accepted.map((connection) => text(connection)))).toEqual([
    'from 0',
    'from 1',
  ]);
  for (const connection of accepted) connection.end('to the box');
});

it('passes on that nobody listens, and asks for no path that needs escapes', async () => {
  const { guest } = await connect();
  await expect(guest.connectSocket('/run/docker.sock')).rejects.toMatchObject({
    code: 'conflict',
    guestCode: 'socket-refused',
  });
  await expect(guest.connectSocket('/run/a b')).rejects.toThrow('Invalid string');
  await expect(guest.connectSocket('/run/a&port=1')).rejects.toThrow('Invalid string');
});

it('ends the wait for a connection when its caller aborts', async () => {
  const { guest } = await connect();
  const abort = new AbortController();
  const accepting = guest.acceptConnection(3128, abort.signal);
  abort.abort(new Error('no more'));
  await expect(accepting).rejects.toThrow('no more');
});

it('refuses sockets where the agent is older', async () => {
  const { guest } = await connect({ protocol: { minimum: 1, maximum: 9 } });
  await expect(guest.connectSocket('/run/docker.sock')).rejects.toMatchObject({
    code: 'agent-failed',
    message: expect.stringContaining('sockets of the box'),
  });
  await expect(guest.acceptConnection(3128)).rejects.toMatchObject({ code: 'agent-failed' });
});
