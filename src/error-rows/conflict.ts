/**
 * Error codes with the HTTP status 409: the state of the object does not permit it.
 *
 * @module
 */
import type { ErrorRow } from '../error-row.ts';

export const CONFLICT = {
  'name-in-use': {
    status: 409,
    meaning: 'Another box, network, pod or container has the name.',
    remedy: 'Choose another name, or remove or rename what has it.',
  },
  'image-in-use': {
    status: 409,
    meaning: 'A box was made from the image.',
    remedy: 'Remove the box first.',
  },
  'box-not-running': { status: 409, meaning: 'The box does not run.', remedy: 'Start it.' },
  'box-running': {
    status: 409,
    taken: true,
    meaning: 'The box runs.',
    remedy: 'Stop it first, or use `--force`.',
  },
  'volume-in-use': {
    status: 409,
    taken: true,
    meaning: 'A box mounts the volume; or the volume is a disk, which another box has.',
    remedy: 'Remove the box first; `a3s-box ps -a --filter volume=NAME` lists them.',
  },
  'volume-empty': {
    status: 409,
    exitCode: 125,
    lasting: true,
    meaning:
      'The disk of a sealed volume is empty, and the box does not permit to make a volume of it.',
    remedy:
      'For a new volume add `init`. Otherwise put its disk back: another one is not the volume.',
  },
  'bind-source-changed': {
    status: 409,
    meaning: 'The source of a bind mount leads elsewhere than when the box was created.',
    remedy: 'Put back what was there, or create the box again.',
  },
  conflict: {
    status: 409,
    taken: true,
    meaning: 'What was asked for does not fit the state of its object.',
    remedy: 'The message names the state; ask again once it is another.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;
