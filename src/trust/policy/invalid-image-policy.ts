/**
 * The faults of an image policy.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** Bound on the listed faults: nobody reads more. */
const MAX_FAULTS = 10;

/** One thing that is wrong with a policy; `path` is empty for all of it. */
export interface PolicyFault {
  readonly path: string;
  readonly message: string;
}

/** The one error of image policies: `policy-invalid`, and everything that is wrong. */
export class InvalidImagePolicy extends A3sError {
  readonly faults: readonly PolicyFault[];

  /** @param path of its file, where it has one */
  constructor(path: string | undefined, faults: readonly PolicyFault[], cause?: unknown) {
    const shown = faults.slice(0, MAX_FAULTS).map(textOf).join('; ');
    const more = faults.length > MAX_FAULTS ? `; and ${faults.length - MAX_FAULTS} more` : '';
    const what = path === undefined ? 'the image policy' : `the image policy ${path}`;
    super('policy-invalid', `Cannot use ${what}: ${shown}${more}`, {
      remedy: `Until it is put right no image is accepted; check it with a3s-box policy check ${path ?? 'FILE'}`,
      cause,
    });
    this.faults = faults;
  }
}

function textOf({ path, message }: PolicyFault): string {
  return path === '' ? message : `${path}: ${message}`;
}
