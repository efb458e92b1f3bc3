/**
 * The tap device of a box: Ethernet frames of its guest, by a descriptor that the VMM holds. The
 * device is gone when the last descriptor is closed.
 *
 * @module
 */
import { closeSync, constants, openSync } from 'node:fs';
import { A3sError } from '../../errors.ts';
import { libc } from './libc.ts';
import { inNamespace } from './namespace.ts';

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
  return await inNamespace(namespace, () => {
    const tap = openSync(TUN, constants.O_RDWR);
    if (ioctl(tap, TUNSETIFF, request) === 0) return tap;
    const number = errno();
    closeSync(tap);
    throw new A3sError('network-failed', `Cannot make a tap device: error ${number}`, {
      remedy: 'See a3s-box info for what this host lacks.',
    });
  });
}
