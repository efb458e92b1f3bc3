/**
 * Checks that a server is there, before any request that must not be repeated.
 *
 * It is one fixed request, so it is written by hand here: it is sent before Node's HTTP client is
 * loaded, and its connection then takes the first real request.
 *
 * @module
 */
import { connect, type Socket } from 'node:net';
import { A3sError } from '../../errors.ts';

const REQUEST = 'GET /_ping HTTP/1.1\r\nHost: a3s-box\r\n\r\n';
const DEADLINE_MS = 10_000;
const MAX_ANSWER = 16 * 1024;
/** Well below the time after which servers close an idle connection. */
const FRESH_SECONDS = 1;

/** A server that has answered. */
export interface Greeted {
  /** The connection, once, where it can take another request. */
  take(): Socket | undefined;
}

/**
 * @throws the socket's error, with its `code`, or A3sError `server-unreachable` for a server that
 * does not answer
 */
export function greet(path: string): Promise<Greeted> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    const refuse = (error: unknown): void => {
      stop();
      socket.on('error', ignore).destroy();
      reject(error);
    };
    const late = (): void => refuse(silent(path));
    const end = (): void => refuse(reset());
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const state = text.length > MAX_ANSWER ? 'malformed' : read(text);
      if (state === 'incomplete') return;
      if (state === 'malformed') {
        late();
        return;
      }
      stop();
      resolve(keep(socket, state));
    };
    const stop = (): void => {
      socket.setTimeout(0).off('timeout', late);
      socket.off('error', refuse).off('end', end).off('data', take);
    };
    socket.setTimeout(DEADLINE_MS).on('timeout', late);
    socket.on('error', refuse).on('end', end).on('data', take);
    socket.write(REQUEST);
  });
}

/** The answer so far; `last` marks one whose connection takes no more requests. */
function read(text: string): 'incomplete' | 'malformed' | 'complete' | 'last' {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return 'incomplete';
  const [status = '', ...headers] = text.slice(0, end).toLowerCase().split('\r\n');
  if (!/^http\/1\.1 \d{3}/.test(status)) return 'malformed';
  const length = headers.find((line) => /^content-length: *\d{1,4}$/.test(line));
  if (length === undefined || headers.includes('connection: close')) return 'last';
  const body = text.length - end - 4;
  const expected = Number(length.slice(length.indexOf(':') + 1));
  if (body < expected) return 'incomplete';
  return body === expected ? 'complete' : 'malformed';
}

function keep(socket: Socket, state: 'complete' | 'last'): Greeted {
  socket.on('error', ignore);
  if (state === 'last') socket.destroy();
  // A command without further requests must not wait for it.
  socket.unref();
  const since = process.uptime();
  let taken = false;
  return {
    take() {
      if (taken) return undefined;
      taken = true;
      if (socket.destroyed || socket.readableEnded || process.uptime() - since > FRESH_SECONDS) {
        socket.destroy();
        return undefined;
      }
      return socket.off('error', ignore).ref();
    },
  };
}

function ignore(): void {}

function silent(path: string): A3sError {
  return new A3sError('server-unreachable', `The control server at ${path} does not answer`, {
    remedy: 'End that server process and try again; boxes run on without it.',
  });
}

/** The kernel's error for a connection that no server had accepted yet. */
function reset(): Error {
  return Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' });
}
