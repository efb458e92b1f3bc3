/**
 * Notifies a service manager of this server's state (sd_notify(3)): datagrams on a unix socket, for
 * which Node has no call.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { once } from '../../async/once.ts';
import { cLibrary } from '../../c-library.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;
/**
 * A service manager that accepts nothing for so long has a larger problem than a lost notification.
 */
const ATTEMPTS = 250;
const PAUSE_MS = 20;
const MAX_PATH = 107;

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  sendto(
    fd: number,
    data: Buffer,
    length: number,
    flags: number,
    address: Buffer,
    addressLength: number,
  ): number | bigint;
  close(fd: number): number;
  errno(): number;
}

/** @returns whether the service manager took it; `lines` are `NAME=VALUE` */
export async function notify(socketName: string, lines: readonly string[]): Promise<boolean> {
  const address = addressOf(socketName);
  if (address === undefined) return false;
  const { socket, sendto, close, errno } = await loadCalls();
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    const data = Buffer.from(lines.join('\n'));
    for (let attempt = 1; ; attempt += 1) {
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const sent = Number(sendto(fd, data, data.length, flags, address, address.length));
      if (sent === data.length) return true;
      if (errno() !== EAGAIN || attempt === ATTEMPTS) return false;
      await delay(PAUSE_MS);
    }
  } finally {
    close(fd);
  }
}

/**
 * `struct sockaddr_un`. A name without a file begins with NUL, and ends at the end of the address.
 */
function addressOf(name: string): Buffer | undefined {
  const path = Buffer.from(name);
  if (path.length > MAX_PATH || path.includes(0)) return undefined;
  if (name.startsWith('@')) path[0] = 0;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, path, ...(name.startsWith('@') ? [] : [Buffer.alloc(1)])]);
}

const loadCalls = once(async (): Promise<Calls> => {
  const { declare, errno } = await cLibrary();
  const prototypes = {
    socket: 'int socket(int domain, int type, int protocol)',
    sendto:
      'int64_t sendto(int fd, void *data, size_t length, int flags, void *address, uint32_t addressLength)',
    close: 'int close(int fd)',
  };
  return {
    socket: declare(prototypes.socket),
    sendto: declare(prototypes.sendto),
    close: declare(prototypes.close),
    errno,
  };
});
