import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { reply } from '../testing/dns-bytes.ts';
import { askServers, lengthOf } from './ask-server.ts';
import { TYPE } from './dns-message.ts';

const open: (Socket | Server)[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** A DNS server; of several answers to one question it sends all. */
async function server(answers: (question: Buffer) => Buffer[], tcp?: (question: Buffer) => Buffer) {
  const socket = createSocket('udp4');
  open.push(socket);
  socket.on('message', (message, from) => {
    for (const answer of answers(message)) socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  if (tcp !== undefined) {
    const overTcp = createServer((client) => {
      client.on('error', () => undefined);
      client.once('data', (data) => {
        const answer = tcp(data.subarray(2));
        // In two pieces.
        client.write(lengthOf(answer));
        client.end(answer);
      });
    });
    open.push(overTcp);
    overTcp.listen(port, '127.0.0.1');
    await once(overTcp, 'listening');
  }
  return { address: '127.0.0.1', port };
}
const found = (question: Buffer, a: string) => reply(question, [{ owner: 'a.example', a }]);
const address = (last: number): number => 0xcb007100 + last;

it('takes no answer with another number or name', async () => {
  const other = (question: Buffer): Buffer => {
    const answer = found(question, '203.0.113.66');
    answer.writeUInt16BE((question.readUInt16BE(0) + 1) % 0x1_0000, 0);
    return answer;
  };
  const named = (question: Buffer): Buffer => {
    const answer = found(question, '203.0.113.67');
    answer.write('b', 13);
    return answer;
  };
  const dns = await server((asked) => [
    other(asked),
    named(asked),
    asked,
    found(asked, '203.0.113.1'),
  ]);
  expect((await askServers([dns], 'a.example', TYPE.A)).addresses).toEqual([address(1)]);
});

it('asks over TCP where the answer is cut off', async () => {
  const cut = (question: Buffer) => [reply(question, [], { truncated: true })];
  const dns = await server(cut, (question) => found(question, '203.0.113.2'));
  expect((await askServers([dns], 'a.example', TYPE.A)).addresses).toEqual([address(2)]);
});

it('asks the next server where one fails', async () => {
  const broken = await server((question) => [reply(question, [], { rcode: 2 })]);
  const dns = await server((question) => [found(question, '203.0.113.3')]);
  expect((await askServers([broken, dns], 'a.example', TYPE.A)).addresses).toEqual([address(3)]);
  await expect(askServers([broken], 'a.example', TYPE.A)).rejects.toThrow('answered with 2');
});

it('takes the word of a server that says that there is no such name', async () => {
  const none = await server((question) => [reply(question, [], { rcode: 3 })]);
  const dns = await server((question) => [found(question, '203.0.113.4')]);
  expect(await askServers([none, dns], 'a.example', TYPE.A)).toMatchObject({
    rcode: 3,
    addresses: [],
  });
});

it('asks the next server where there is no way to one', async () => {
  const nowhere = { address: '255.255.255.255', port: 53 };
  const dns = await server((question) => [found(question, '203.0.113.5')]);
  expect((await askServers([nowhere, dns], 'a.example', TYPE.A)).addresses).toEqual([address(5)]);
  await expect(askServers([nowhere], 'a.example', TYPE.A)).rejects.toThrow('EACCES');
});
