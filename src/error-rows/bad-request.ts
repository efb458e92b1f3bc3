/**
 * Error codes with the HTTP status 400: the request, or what it names, cannot be used.
 *
 * @module
 */
import type { ErrorRow } from '../error-row.ts';

export const BAD_REQUEST = {
  'invalid-argument': {
    status: 400,
    lasting: true,
    meaning: 'A value, flag or field is not one that can be used.',
    remedy: 'Correct what the message names.',
  },
  'invalid-reference': {
    status: 400,
    meaning: 'An image’s name is malformed.',
    remedy: 'Write it as `name`, `name:tag` or `name@sha256:…`.',
  },
  'invalid-image': {
    status: 400,
    lasting: true,
    meaning: 'An image, archive or layer is damaged or malformed.',
    remedy: 'Fetch or build the image again.',
  },
  'unsupported-option': {
    status: 400,
    lasting: true,
    meaning: 'Docker has the option, and A3S Box has not.',
    remedy: 'Leave it out; the message says why it is refused.',
  },
  'engine-unsupported': {
    status: 400,
    exitCode: 125,
    lasting: true,
    meaning: 'The engine of the box cannot do it.',
    remedy: 'Create the box with `--engine qemu`; see [engines.md](boxes/engines.md).',
  },
  'command-not-found': {
    status: 400,
    exitCode: 127,
    lasting: true,
    meaning: 'The image does not have the program.',
    remedy: 'Check the command, and PATH in the image.',
  },
  'command-not-executable': {
    status: 400,
    exitCode: 126,
    lasting: true,
    meaning: 'The program cannot be executed: no permission, a directory, or a wrong format.',
    remedy: 'Name a program that is executable and built for this platform.',
  },
  'user-not-found': {
    status: 400,
    lasting: true,
    meaning: 'The image does not have the user or group.',
    remedy: 'Name one of its /etc/passwd and /etc/group, or a number.',
  },
  'cwd-invalid': {
    status: 400,
    lasting: true,
    meaning: 'The working directory is not a directory of the image.',
    remedy: 'Choose another one with `--workdir`.',
  },
  'bind-source-missing': {
    status: 400,
    meaning:
      'The source of a bind mount, or the part of a volume, is not there, or is neither file nor directory.',
    remedy: 'Create it first.',
  },
  'policy-invalid': {
    status: 400,
    exitCode: 125,
    lasting: true,
    meaning: 'A policy cannot be read or contradicts itself; nothing is permitted by it.',
    remedy: 'Correct the file: `a3s-box policy check` shows where.',
  },
  'key-invalid': {
    status: 400,
    meaning: 'A key to sign or verify with cannot be used.',
    remedy: 'Give a key of a kind that the message names, with its password.',
  },
  'boot-set-invalid': {
    status: 400,
    lasting: true,
    meaning: 'A boot set is malformed, or its signature does not hold.',
    remedy: 'Import it again from where it is trusted, or sign it again.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;
