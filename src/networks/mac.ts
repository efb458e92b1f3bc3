/**
 * Hardware addresses of boxes.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

const MAC = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i;

/** The hardware address that Docker makes of an IPv4 address. */
export function macOf(address: number): string {
  const bytes = [0x02, 0x42, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/**
 * @returns it in lower case, with colons
 * @throws A3sError `invalid-argument`, in Docker's words, for what is no unicast address of six
 * bytes
 */
export function parseMac(text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':');
  const isUnicast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
  if (MAC.test(text) && isUnicast && mac !== '00:00:00:00:00:00') return mac;
  throw new A3sError('invalid-argument', `invalid MAC address: ${text.slice(0, 64)}`, {
    remedy: 'Give a unicast address of six bytes, such as 02:42:0a:59:01:02.',
  });
}
