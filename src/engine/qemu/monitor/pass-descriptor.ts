/**
 * Passes an open file to the process at the other end of a Unix socket (`SCM_RIGHTS`, unix(7)).
 * Node has no call for it.
 *
 * @module
 */
import type { Socket } from 'node:net';
import { once } from '../../../async/once.ts';
import { retry } from '../../../async/retry.ts';
import { cLibrary } from '../../../c-library.ts';
import { A3sError } from '../../../errors.ts';

/** Flags of `sendmsg`: no SIGPIPE, and no waiting. */
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const EAGAIN = 11;
/** `struct cmsghdr` of 16 bytes, one descriptor of 4, and padding to a multiple of 8. */
const CONTROL_BYTES = 24;
const CONTROL_LENGTH = 20n;

interface Calls {
  sendmsg(fd: number, message: unknown, flags: number): number | bigint;
  errno(): number;
}

/**
 * Sends `data` with the descriptor attached to its first byte, once everything that was written
 * before is out.
 *
 * @param data at most what a socket takes at once; a few kilobytes always fit
 * @throws A3sError `vmm-failed` when the other end is gone, or takes only a part
 */
export async function passDescriptor(
  socket: Socket,
  data: Buffer,
  descriptor: number,
  signal: AbortSignal,
): Promise<void> {
  const { sendmsg, errno } = await loadCalls();
  const control = Buffer.alloc(CONTROL_BYTES);
  control.writeBigUInt64LE(CONTROL_LENGTH, 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(descriptor, 16);
  const message = {
    ...{ msg_name: null, msg_namelen: 0, msg_flags: 0 },
    ...{ msg_iov: [{ iov_base: data, iov_len: data.length }], msg_iovlen: 1 },
    ...{ msg_control: control, msg_controllen: control.length },
  };
  await retry(async () => {
    if (socket.writableLength > 0) return undefined;
    const sent = Number(sendmsg(socketDescriptor(socket), message, MSG_NOSIGNAL | MSG_DONTWAIT));
    if (sent === data.length) return true;
    if (sent < 0 && errno() === EAGAIN) return undefined;
    const what = sent < 0 ? `error ${errno()}` : `${sent} of ${data.length} bytes were taken`;
    throw new A3sError('vmm-failed', `Cannot hand a file to the VMM: ${what}`);
  }, signal);
}

/** Node keeps the descriptor in a handle that has no type. */
function socketDescriptor(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const descriptor: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof descriptor !== 'number' || descriptor < 0) {
    throw new A3sError('vmm-failed', 'Cannot hand a file to the VMM: its socket is closed');
  }
  return descriptor;
}

const loadCalls = once(async (): Promise<Calls> => {
  const { declare, struct, errno } = await cLibrary();
  struct('iovec', { iov_base: 'void *', iov_len: 'size_t' });
  struct('msghdr', {
    ...{ msg_name: 'void *', msg_namelen: 'uint32_t', msg_iov: 'iovec *', msg_iovlen: 'size_t' },
    ...{ msg_control: 'void *', msg_controllen: 'size_t', msg_flags: 'int' },
  });
  const sendmsg = declare('int64_t sendmsg(int fd, msghdr *message, int flags)');
  return { sendmsg, errno };
});
