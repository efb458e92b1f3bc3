/**
 * Asks DNS servers for the addresses of a name: each question from a port of its own, again
 * where no answer comes, over TCP where the answer is too long.
 *
 * @module
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type AddressType, type Answer, RCODE, readAnswer, writeQuestion } from './dns-message.ts';

export interface ServerToAsk {
  readonly address: string;
  readonly port: number;
}

interface Asks {
  readonly asked: string;
  readonly type: AddressType;
}

const ATTEMPT_MS = 2500;
const ROUNDS = 2;
const MAX_ID = 0x1_0000;

/** @throws Error where no server answers */
export async function askServers(
  servers: readonly ServerToAsk[],
  name: string,
  type: AddressType,
): Promise<Answer> {
  const asks = { asked: name, type };
  let last: unknown;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const server of servers) {
      try {
        const answer = await overUdp(server, asks);
        const whole = answer.truncated ? await overTcp(server, asks) : answer;
        if (whole.rcode === RCODE.ok || whole.rcode === RCODE.noName) return whole;
        last = new Error(`a DNS server answered with ${whole.rcode}`);
      } catch (error) {
        last = error;
      }
    }
  }
  throw last;
}

async function overUdp({ address, port }: ServerToAsk, asks: Asks): Promise<Answer> {
  const id = randomInt(MAX_ID);
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('a DNS server did not answer')), ATTEMPT_MS);
      socket.once('close', () => clearTimeout(timer));
      socket.on('error', reject);
      socket.on('message', (message) => {
        // What is no answer to this question may be somebody's guess.
        const answer = readAnswer(message, { id, ...asks });
        if (answer !== undefined) resolve(answer);
      });
      // Connected: the kernel drops what other addresses send.
      socket.connect(port, address, (error?: Error) => {
        // Node calls this as well where the address cannot be reached.
        if (error === undefined) socket.send(writeQuestion(id, asks.asked, asks.type));
        else reject(error);
      });
    });
  } finally {
    socket.close();
  }
}

async function overTcp({ address, port }: ServerToAsk, asks: Asks): Promise<Answer> {
  const id = randomInt(MAX_ID);
  const socket = connect({ host: address, port });
  const timer = setTimeout(
    () => socket.destroy(new Error('a DNS server did not answer')),
    ATTEMPT_MS,
  );
  try {
    const question = writeQuestion(id, asks.asked, asks.type);
    socket.write(Buffer.concat([lengthOf(question), question]));
    let bytes: Buffer = Buffer.alloc(0);
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      if (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE(0)) continue;
      const answer = readAnswer(bytes.subarray(2, 2 + bytes.readUInt16BE(0)), { id, ...asks });
      if (answer === undefined || answer.truncated) break;
      return answer;
    }
    throw new Error('a DNS server did not answer');
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** Messages over TCP stand behind their length. */
export function lengthOf(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return length;
}
