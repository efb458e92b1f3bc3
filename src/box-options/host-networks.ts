/**
 * Reads how many networks the host may put a confidential box into.
 *
 * @module
 */

/** As in launch specs. Repeated here, so that the command line does not load the schemas. */
const MOST = 8;

/** @throws RangeError */
export function parseHostNetworks(text: string): number {
  const number = /^[1-9]$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= MOST) return number;
  throw new RangeError(`it takes a number from 1 to ${MOST}`);
}
