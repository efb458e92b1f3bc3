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
const IDLE_MS = 10_000;

export async function listenForDatagrams(
  { address, port }: { address: string; port: number },
  answer: AnswerQuestion,
): Promise<Datagrams> {
  const socket = createSocket('udp4');
  socket.on('message', async (message, from) => {
    if (message.length > MAX_DATAGRAM) return;
    const reply = await answer(message);
    // The client may be gone.
    if (reply !== undefined) socket.send(reply, from.port, from.address, () => undefined);
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

/** @returns a server that does not listen yet */
export function questionServer(answer: AnswerQuestion): Server {
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    client.setTimeout(IDLE_MS, () => client.destroy());
    void answerAll(client, answer).catch(() => client.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

/** One after the other, so that a client has one question at a time. */
async function answerAll(client: Socket, answer: AnswerQuestion): Promise<void> {
  let bytes: Buffer = Buffer.alloc(0);
  for await (const chunk of client) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    for (;;) {
      const length = bytes.length < 2 ? MAX_DATAGRAM : bytes.readUInt16BE(0);
      if (bytes.length >= 2 && length > MAX_DATAGRAM) return void client.destroy();
      if (bytes.length < 2 + length) break;
      const reply = await answer(bytes.subarray(2, 2 + length));
      bytes = bytes.subarray(2 + length);
      if (reply === undefined) return void client.destroy();
      client.write(Buffer.concat([lengthOf(reply), reply]));
    }
  }
}
