/**
 * The id by which a guest knows its VM. Its firmware reports it. The request `/v1/wake` carries it
 * where the firmware ran before the VM was copied.
 *
 * @module
 */

/** @param id of the VM: 64 lower-case hexadecimal digits, of which the first half is used */
export function vmUuid(id: string): string {
  const parts = [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ] as const;
  return parts.map(([from, to]) => id.slice(from, to)).join('-');
}
