/**
 * The sockets on which a box's questions about names arrive, UDP and TCP.
 *
 * @module
 */
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { lengthOf } from './ask-server.ts';
import { MAX_DATAGRAM } from './dns-message.ts';

/** Undefined: no answer. */
export type AnswerQuestion = (message: Buffer) => Promise<Buffer | undefined>;

const MAX_CONNECTIONS = 64;
/** Of one connection. Clients with more make another one. */
const MAX_QUESTIONS = 256;
const IDLE_MS = 10_000;

export async function listenForDatagrams(
  { address, port }: { address: string; port: number },
  answer: AnswerQuestion,
): Promise<Datagrams> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    // Nothing can be sent to port 0: Node throws.
    if (message.length > MAX_DATAGRAM || from.port === 0) return;
    void answer(message)
      .then((reply) => {
        // The client may be gone.
        if (reply !== undefined) socket.send(reply, from.port, from.address, () => undefined);
      })
      // A question that cannot be answered ends the question, and not the program.
      .catch(() => undefined);
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  // One datagram that cannot be received says nothing about the next.
  socket.on('error', () => undefined);
  return socket;
}

/** @returns a server that does not listen yet */
export function questionServer(answer: AnswerQuestion): Server {
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    client.setTimeout(IDLE_MS, () => client.destroy());
    void answerAll(client, answer).catch(() => client.destroy());
  });
  // Where the host has no descriptor left, one connection fails, and the next one may not.
  server.on('error', () => undefined);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

/**
 * One after the other, so that a client has one question at a time. Nothing more is read of one
 * that does not take its answers.
 */
async function answerAll(client: Socket, answer: AnswerQuestion): Promise<void> {
  let bytes: Buffer = Buffer.alloc(0);
  let answered = 0;
  // Its last answers are still on their way when this returns.
  for await (const chunk of client.iterator({ destroyOnReturn: false })) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    for (;;) {
      const length = bytes.length < 2 ? MAX_DATAGRAM : bytes.readUInt16BE(0);
      if (bytes.length >= 2 && length > MAX_DATAGRAM) return void client.destroy();
      if (bytes.length < 2 + length) break;
      const reply = await answer(bytes.subarray(2, 2 + length));
      bytes = bytes.subarray(2 + length);
      if (reply === undefined) return void client.destroy();
      if (!client.write(Buffer.concat([lengthOf(reply), reply]))) await drained(client);
      answered += 1;
      if (answered === MAX_QUESTIONS) return void client.end();
    }
  }
}

/** Waits until a client has taken what was written to it, or is gone. */
async function drained(client: Socket): Promise<void> {
  if (client.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      client.off('drain', done).off('close', done);
      resolve();
    };
    client.on('drain', done).on('close', done);
  });
}
