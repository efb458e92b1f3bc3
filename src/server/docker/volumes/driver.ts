/**
 * The driver of volumes: `local`, without options.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';

/** @throws A3sError `no-such-driver` in Docker's words for another driver; `unsupported-option` for an option */
export function checkDriver(driver: string, options: Readonly<Record<string, string>>): void {
  if (!['', 'local'].includes(driver)) {
    const shown = driver.slice(0, 128);
    throw new A3sError(
      'no-such-driver',
      `error looking up volume plugin ${shown}: plugin "${shown}" not found`,
    );
  }
  const [option] = Object.keys(options);
  if (option === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the volume: the option ${option.slice(0, 64)} of the driver local is not supported`,
    { remedy: 'Leave it out: a volume is a directory. Mount a host path with -v.' },
  );
}
