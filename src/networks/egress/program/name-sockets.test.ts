import type { Socket as Datagrams } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { Duplex } from 'node:stream';
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

/** A connection whose other side takes nothing until it is told to. */
class SlowClient extends Duplex {
  readonly #waiting: (() => void)[] = [];
  #takes = false;

  constructor() {
    super({ highWaterMark: 16 * 1024 });
  }

  setTimeout(): this {
    return this;
  }

  takeAll(): void {
    this.#takes = true;
    for (const resume of this.#waiting.splice(0)) resume();
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, resume: () => void): void {
    if (this.#takes) resume();
    else this.#waiting.push(resume);
  }
}

/** A server whose answers have 4 KiB each. */
function largeAnswers(): { server: Server; answered: () => number } {
  let count = 0;
  const server = questionServer(async () => {
    count += 1;
    return Buffer.alloc(4096);
  });
  return { server, answered: () => count };
}

const turns = async (): Promise<void> => {
  for (let at = 0; at < 50; at += 1) await new Promise((resolve) => setImmediate(resolve));
};
const QUESTION = Buffer.from([0, 1, 7]);

describe('the server for questions by TCP', () => {
  it('reads no more of a client that does not take its answers', async () => {
    const { server, answered } = largeAnswers();
    const client = new SlowClient();
    server.emit('connection', client);
    for (let at = 0; at < 100; at += 1) client.push(QUESTION);
    await expect.poll(() => client.writableNeedDrain).toBe(true);
    await turns();
    expect(answered()).toBe(4);
    client.takeAll();
    await expect.poll(answered).toBe(100);
    client.destroy();
  });

  it('ends a connection after a bounded number of questions', async () => {
    const { server, answered } = largeAnswers();
    const client = new SlowClient();
    client.takeAll();
    server.emit('connection', client);
    const ended = once(client, 'finish');
    for (let at = 0; at < 300; at += 1) client.push(QUESTION);
    await ended;
    await turns();
    expect(answered()).toBe(256);
  });

  it('goes on listening after a connection that the host cannot take', async () => {
    const server = questionServer(echo);
    open.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.emit('error', new Error('accept ENFILE'));
    expect(server.listening).toBe(true);
  });
});
