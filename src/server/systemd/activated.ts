/**
 * Sockets that a service manager listens on for this server. A socket that other users can reach is
 * refused.
 *
 * @module
 */
import { lstatSync } from 'node:fs';
import { cLibrary } from '../../c-library.ts';
import { A3sError } from '../../errors.ts';

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;
const AF_UNIX = 1;
/** The size of `struct sockaddr_un`, and one byte more to detect a path that does not end. */
const ADDRESS_BYTES = 128;

export interface ActivatedSocket {
  readonly descriptor: number;
  readonly path: string;
}

interface Calls {
  getsockname(fd: number, address: Buffer, length: Buffer): number;
  getsockopt(fd: number, level: number, option: number, value: Buffer, length: Buffer): number;
}

/**
 * @throws A3sError `state-unusable` for a socket that others could connect to, or that nobody can
 */
export async function activatedSockets(
  descriptors: readonly number[],
  uid: number,
): Promise<readonly ActivatedSocket[]> {
  if (descriptors.length === 0) return [];
  const calls = await loadCalls();
  return descriptors.map((descriptor) => {
    const path = pathOf(calls, descriptor);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSocket() !== true) throw unusable(descriptor, `${path} is not it`);
    const mode = stat.mode & 0o777;
    if (stat.uid !== uid) throw unusable(descriptor, `${path} belongs to user ${stat.uid}`);
    if ((mode & 0o077) !== 0) {
      throw unusable(descriptor, `${path} has mode 0${mode.toString(8)}: others can connect`);
    }
    return { descriptor, path };
  });
}

function pathOf(calls: Calls, descriptor: number): string {
  if (option(calls, descriptor, SO_TYPE) !== SOCK_STREAM) {
    throw unusable(descriptor, 'it is not a stream socket');
  }
  if (option(calls, descriptor, SO_ACCEPTCONN) !== 1) {
    throw unusable(descriptor, 'it does not listen');
  }
  const address = Buffer.alloc(ADDRESS_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(ADDRESS_BYTES);
  const failed = calls.getsockname(descriptor, address, length) !== 0;
  const family = address.readUInt16LE();
  if (failed || family !== AF_UNIX) throw unusable(descriptor, 'it is not a unix socket');
  const name = address.subarray(2, Math.min(length.readUInt32LE(), ADDRESS_BYTES));
  const end = name.indexOf(0);
  const path = name.subarray(0, end < 0 ? name.length : end).toString();
  // Any user can connect to a name without a file.
  if (!path.startsWith('/')) throw unusable(descriptor, 'it has no absolute path');
  return path;
}

function option({ getsockopt }: Calls, descriptor: number, name: number): number {
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  if (getsockopt(descriptor, SOL_SOCKET, name, value, length) !== 0) {
    throw unusable(descriptor, 'it is not a socket');
  }
  return value.readInt32LE();
}

function unusable(descriptor: number, reason: string): A3sError {
  return new A3sError(
    'state-unusable',
    `Cannot serve on descriptor ${descriptor}, which the service manager passed: ${reason}`,
    {
      remedy:
        'Use the socket unit of docs/boxes/systemd.md: ListenStream= with a path, SocketMode=0600.',
    },
  );
}

async function loadCalls(): Promise<Calls> {
  const { declare } = await cLibrary();
  return {
    getsockname: declare('int getsockname(int fd, void *address, void *length)'),
    getsockopt: declare('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  };
}
