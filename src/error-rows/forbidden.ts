/**
 * Error codes with the HTTP statuses 401 and 403: nobody, or not this user, may do it.
 *
 * @module
 */
import type { ErrorRow } from '../error-row.ts';

export const FORBIDDEN = {
  'registry-unauthorized': {
    status: 401,
    meaning: 'The registry asks for credentials, or refuses those it was given.',
    remedy: 'Run `a3s-box login`.',
  },
  'registry-denied': {
    status: 403,
    meaning: 'The registry denies this user access.',
    remedy: 'Ask for the right to it, or log in as another user.',
  },
  'reserved-name': {
    status: 403,
    exitCode: 125,
    lasting: true,
    meaning: 'No registry has an image of this name: a Dockerfile begins with it from nothing.',
    remedy: 'Write `FROM scratch` in a Dockerfile, or pull another image.',
  },
  'image-untrusted': {
    status: 403,
    exitCode: 125,
    lasting: true,
    meaning: 'The image policy refuses the image.',
    remedy: 'See why with `a3s-box trust explain`.',
  },
  'host-not-permitted': {
    status: 403,
    lasting: true,
    meaning: 'The launch spec of a confidential box does not let the host do this.',
    remedy: 'Create the box with `--host-may`. A verifier of the box sees this permission.',
  },
  'volume-key-mismatch': {
    status: 403,
    exitCode: 125,
    lasting: true,
    meaning:
      'The key at the broker is another one than that which the sealed volume was made with.',
    remedy: 'Restore the broker’s key of that time: without it what is on the volume is lost.',
  },
  'volume-key-refused': {
    status: 403,
    exitCode: 125,
    meaning: 'The broker does not give the guest the key of a sealed volume.',
    remedy: 'The message has its code, and its audit log the check. Grant the key to this image.',
  },
  'volume-refused': {
    status: 403,
    exitCode: 125,
    lasting: true,
    meaning:
      'A sealed volume is not for this box: another launch spec, launch digest, processor or name, or another id than expected.',
    remedy:
      'Use the volume with the box that made it, on the same host; with a key of a broker, name the `key` and `counter` that it was made with. The message has the rule.',
  },
  'sealing-not-permitted': {
    status: 403,
    lasting: true,
    meaning: 'The launch spec of a confidential box does not permit sealing from outside.',
    remedy: 'Create the box with `--sealing` and `--sealer`. A verifier of the box sees both.',
  },
  'read-only-files': {
    status: 403,
    meaning: 'The root of the box, or the volume at the path, is mounted read-only.',
    remedy: 'Choose a path that can be written to.',
  },
  'network-in-use': {
    status: 403,
    meaning: 'A box is attached to the network.',
    remedy: 'Stop the box first; `a3s-box ps --filter network=NAME` lists them.',
  },
  'network-forbidden': {
    status: 403,
    lasting: true,
    meaning: 'The network is predefined, or another network has the addresses.',
    remedy: 'Choose another name or subnet; the message says which.',
  },
  'address-in-use': {
    status: 403,
    meaning: 'Another box of the network has the address.',
    remedy: 'Choose another address, or stop that box.',
  },
  'known-vulnerable': {
    status: 403,
    exitCode: 125,
    lasting: true,
    meaning: 'The boot set or processor firmware is on the list of vulnerable ones.',
    remedy: 'Use another boot set; the message names the advisory.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;
