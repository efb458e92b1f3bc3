/**
 * The name of a volume's driver.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

/**
 * @param name empty where none was asked for
 * @throws A3sError `no-such-driver` in Docker's words for any but `local`
 */
export function checkDriverName(name: string): void {
  if (name === '' || name === 'local') return;
  const shown = name.slice(0, 128);
  throw new A3sError(
    'no-such-driver',
    `error looking up volume plugin ${shown}: plugin "${shown}" not found`,
  );
}
