/**
 * Calls the API of a secret broker's administrators.
 *
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { A3sError } from '../../../errors.ts';
import { isErrorCode, printable } from '../../client/failure.ts';
import { isObject } from '../../client/json.ts';
import type { Invocation } from '../../command.ts';
import { readInput } from '../../files/input-file.ts';
import { type Flag, string } from '../../flags/flag.ts';
import { parseHexBytes } from '../../values/confidential/hex.ts';

const MAX_PEM = 64 * 1024;
const MAX_ANSWER = 16 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const PIN_BYTES = 32;

export const BROKER_FLAGS: readonly Flag[] = [
  string('broker', 'Address of its administrators, such as broker.example:8443', {
    value: 'host:port',
  }),
  string('cert', 'Certificate of the administrator, PEM', { value: 'file' }),
  string('key', 'Private key of the administrator, PEM', { value: 'file' }),
  string('server-pin', 'SHA-256 of the public key of the broker, hexadecimal', { value: 'hex' }),
];

export const TENANT_FLAG = string('tenant', 'Tenant (default "default")', { value: 'name' });

export interface BrokerCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array | undefined;
  /** Gets the answer, whatever its length. */
  readonly onAnswer?: (chunks: AsyncIterable<Uint8Array>) => Promise<void>;
}

/** The parsed answer; undefined where it has none. */
export type CallBroker = (call: BrokerCall) => Promise<unknown>;

/** @throws UsageError for flags that cannot be used */
export async function brokerClient({ context, flags }: Invocation): Promise<CallBroker> {
  const [host, port] = flags.needed('broker', (text) => {
    const [, name = '', number = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
    if (name === '') throw new RangeError('it takes HOST:PORT');
    return [name.replaceAll(/[[\]]/g, ''), Number(number)] as const;
  });
  const pin = flags.needed('server-pin', (text) => parseHexBytes(text, PIN_BYTES));
  const file = async (name: string) =>
    Buffer.from(await readInput(context, flags.needed(name, String), MAX_PEM, `--${name}`));
  const credentials = { cert: await file('cert'), key: await file('key') };
  return (call) => callOnce({ host, port, pin, ...credentials }, call);
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly pin: Uint8Array;
  readonly cert: Buffer;
  readonly key: Buffer;
}

async function callOnce(target: Target, call: BrokerCall): Promise<unknown> {
  const socket = await connectPinned(target);
  try {
    const { status, body } = await exchange(socket, call);
    if (status < 300) return body.length === 0 ? undefined : parse(body);
    throw refusalOf(status, parse(body));
  } finally {
    socket.destroy();
  }
}

/** Nothing is sent before the key of the other side is the pinned one. */
function connectPinned({ host, port, pin, cert, key }: Target): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void => {
      socket.destroy();
      const message = `Cannot reach the broker at ${host}:${port}: ${reason}`;
      reject(new A3sError('broker-unreachable', message, { cause }));
    };
    const options = { host, port, cert, key, minVersion: 'TLSv1.3' } as const;
    // The pin decides in the place of an authority.
    const socket = connect({ ...options, rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerX509Certificate();
      const der = certificate?.publicKey.export({ type: 'spki', format: 'der' });
      const found = createHash('sha256')
        .update(der ?? '')
        .digest();
      if (timingSafeEqual(found, pin)) resolve(socket);
      else fail(`its key is ${found.toString('hex')}, and not that of --server-pin`);
    });
    socket.setTimeout(TIMEOUT_MS, () => fail('it does not answer'));
    socket.once('error', (error) => fail(error.message, error));
  });
}

function exchange(
  socket: TLSSocket,
  { method, path, body, onAnswer }: BrokerCall,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      const message = `The broker broke off: ${error.message}`;
      reject(new A3sError('broker-unreachable', message, { cause: error }));
    };
    const headers = { host: 'broker', 'content-length': String(body?.length ?? 0) };
    const options = { method, path, headers, createConnection: () => socket };
    const outgoing = request(options, (incoming) => {
      const status = incoming.statusCode ?? 0;
      const read =
        onAnswer !== undefined && status < 300
          ? onAnswer(incoming).then(() => Buffer.alloc(0))
          : gather(incoming);
      read.then((content) => resolve({ status, body: content }), fail);
    });
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new Error('its answer is too long');
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function refusalOf(status: number, document: unknown): A3sError {
  if (!isObject(document) || !isErrorCode(document['code'])) {
    return new A3sError('broker-unreachable', `The broker answered with the status ${status}`);
  }
  const { code, message, remedy } = document;
  return new A3sError(code, printable(String(message)), {
    remedy: typeof remedy === 'string' ? printable(remedy) : undefined,
  });
}
