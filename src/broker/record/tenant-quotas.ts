/**
 * How many secrets a tenant may keep.
 *
 * @module
 */

export interface Quotas {
  readonly secrets: number;
  /** Of all of them together, encrypted. */
  readonly secretBytes: number;
}

export const QUOTAS: Quotas = { secrets: 4096, secretBytes: 64 * 1024 * 1024 };
