/**
 * The tap device of a box: Ethernet frames of its guest, by a descriptor that the VMM holds. The
 * device is gone when the last descriptor is closed.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { A3sError } from '../../errors.ts';
import { findTool } from '../../jail/tools.ts';
import { libc } from './libc.ts';
import { canReturn, inNamespace } from './namespace.ts';
import { takeDescriptor } from './take-descriptor.ts';

export const TUN = '/dev/net/tun';
/** Its name in the box's namespace. */
export const TAP = 'tap0';

// linux/if_tun.h
const TUNSETIFF = 0x4004_54ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
/** Checksums and segmentation are left to the other side. */
const IFF_VNET_HDR = 0x4000;
/** `struct ifreq`: a name of 16 bytes, then the flags. */
const IFREQ_BYTES = 40;
const FLAGS_OFFSET = 16;

/**
 * Makes the device in a namespace.
 *
 * @returns its descriptor, which the caller closes
 * @throws A3sError `network-failed`
 */
export async function openTap(namespace: string): Promise<number> {
  const { ioctl, errno } = await libc();
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(TAP, 'latin1');
  request.writeUInt16LE(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, FLAGS_OFFSET);
  const tap = (await canReturn())
    ? await inNamespace(namespace, () => openSync(TUN, constants.O_RDWR))
    : await openedByAnother(namespace);
  // The device is made in the namespace where the file was opened.
  if (ioctl(tap, TUNSETIFF, request) === 0) return tap;
  const number = errno();
  closeSync(tap);
  throw failed(`error ${number}`);
}

/** Opens the file, and ends when its input does. */
const OPEN = `exec 3<>${TUN} && echo opened && read -r _`;
const OPENED_AS = 3;

/** The file, opened by a process in the namespace. */
async function openedByAnother(namespace: string): Promise<number> {
  const args = [`--net=${namespace}`, '--', '/bin/sh', '-c', OPEN];
  const child = spawn(await findTool('nsenter'), args, { stdio: 'pipe' });
  const complaint = text(child.stderr);
  const ended = once(child, 'close').then(() => false);
  try {
    const isOpen = await Promise.race([once(child.stdout, 'data').then(() => true), ended]);
    if (!isOpen || child.pid === undefined) throw failed((await complaint).trim());
    return await takeDescriptor(child.pid, OPENED_AS);
  } finally {
    child.stdin.on('error', () => undefined).end();
    await ended;
  }
}

function failed(why: string): A3sError {
  return new A3sError('network-failed', `Cannot make a tap device: ${why}`, {
    remedy: 'See a3s-box info for what this host lacks.',
  });
}
