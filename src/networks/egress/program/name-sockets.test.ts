import type { Socket as Datagrams } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type AnswerQuestion, listenForDatagrams, questionServer } from './name-sockets.ts';

const open: (Datagrams | Server)[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

const echo: AnswerQuestion = async (message) => message;

/** Sends a question to the socket from a client of its own, and returns the answer. */
async function ask(socket: Datagrams, text: string): Promise<string> {
  const client = createSocket('udp4');
  open.push(client);
  client.send(text, socket.address().port, '127.0.0.1');
  const [answer] = (await once(client, 'message')) as [Buffer];
  return answer.toString();
}

describe('the socket for questions by UDP', () => {
  it('answers after a question from port 0, to which nothing can be sent', async () => {
    const asked: string[] = [];
    const socket = await listenForDatagrams({ address: '127.0.0.1', port: 0 }, async (message) => {
      asked.push(message.toString());
      return message;
    });
    open.push(socket);
    socket.emit('message', Buffer.from('none'), { address: '127.0.0.1', port: 0 });
    expect(await ask(socket, 'question')).toBe('question');
    expect(asked).toEqual(['question']);
  });

  it('answers after a question that could not be answered, or not be sent back', async () => {
    const socket = await listenForDatagrams({ address: '127.0.0.1', port: 0 }, async (message) => {
      if (message.toString() === 'fails') throw new Error('no answer');
      return message;
    });
    open.push(socket);
    for (const port of [1, 70_000]) {
      socket.emit('message', Buffer.from('fails'), { address: '127.0.0.1', port });
      socket.emit('message', Buffer.from('lost'), { address: '127.0.0.1', port: 70_000 });
    }
    expect(await ask(socket, 'question')).toBe('question');
  });

  it('answers after an error of the socket', async () => {
    const socket = await listenForDatagrams({ address: '127.0.0.1', port: 0 }, echo);
    open.push(socket);
    socket.emit('error', new Error('recvmsg ENOMEM'));
    expect(await ask(socket, 'question')).toBe('question');
  });
});

describe('the server for questions by TCP', () => {
  it('goes on listening after a connection that the host cannot take', async () => {
    const server = questionServer(echo);
    open.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.emit('error', new Error('accept ENFILE'));
    expect(server.listening).toBe(true);
  });
});
