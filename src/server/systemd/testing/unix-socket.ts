/**
 * Unix sockets as a service manager makes them, for tests: bound, listening, and datagrams.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import koffi from 'koffi';

const AF_UNIX = 1;
const MSG_DONTWAIT = 0x40;
const TYPES = { stream: 1, datagram: 2 } as const;
const MAX_DATAGRAM = 4096;

const library = koffi.load('libc.so.6');
const socket = library.func('int socket(int domain, int type, int protocol)');
const bind = library.func('int bind(int fd, void *address, uint32_t length)');
const listen = library.func('int listen(int fd, int backlog)');
const recv = library.func('int64_t recv(int fd, void *data, size_t length, int flags)');

export class UnixSocket {
  readonly descriptor: number;

  /** @param name a path, or `@` and a name without a file */
  constructor(type: keyof typeof TYPES, name: string) {
    this.descriptor = socket(AF_UNIX, TYPES[type], 0);
    const path = Buffer.from(name.startsWith('@') ? `\0${name.slice(1)}` : `${name}\0`);
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), path]);
    if (bind(this.descriptor, address, address.length) !== 0)
      throw new Error(`cannot bind ${name}`);
  }

  listen(): this {
    if (listen(this.descriptor, 8) !== 0) throw new Error('cannot listen');
    return this;
  }

  /** The next datagram; undefined while there is none. */
  receive(): string | undefined {
    const data = Buffer.alloc(MAX_DATAGRAM);
    const length = Number(recv(this.descriptor, data, data.length, MSG_DONTWAIT));
    return length < 0 ? undefined : data.subarray(0, length).toString();
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
