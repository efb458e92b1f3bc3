/**
 * Compares what is there with what was promised.
 *
 * @module
 */
import { expect } from 'vitest';
import type { Ledger } from './ledger.ts';

/** What a cut is compared with. */
export interface Promised {
  readonly ledger: Ledger;
  readonly position: number;
}

/** All that was promised of a kind is there, and nothing else is. */
export function expectPromised(
  { ledger, position }: Promised,
  kind: string,
  found: ReadonlyMap<string, string>,
): void {
  const keys = ledger.keys.filter((key) => key.startsWith(`${kind} `));
  for (const key of keys) {
    expectAllowed(key, ledger.allowed(key, position), found.get(key.slice(kind.length + 1)));
  }
  const others = [...found.keys()].filter((name) => !keys.includes(`${kind} ${name}`));
  expect([kind, others]).toEqual([kind, []]);
}

/** @param allowed as the ledger says; `any` stands for what was not known beforehand */
export function expectAllowed(
  key: string,
  allowed: readonly (string | undefined)[],
  value: string | undefined,
): void {
  const fits = allowed.includes(value) || (value !== undefined && allowed.includes('any'));
  expect([key, fits ? allowed : value]).toEqual([key, allowed]);
}
