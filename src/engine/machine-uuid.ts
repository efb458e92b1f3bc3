/**
 * The id by which a guest knows its machine: what its firmware says, and its wake again where firmware has had its say
 * before the machine was copied.
 *
 * @module
 */

/** @param id of the machine: 64 lower-case hexadecimal digits, of which the first half counts */
export function machineUuid(id: string): string {
  const parts = [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ] as const;
  return parts.map(([from, to]) => id.slice(from, to)).join('-');
}
