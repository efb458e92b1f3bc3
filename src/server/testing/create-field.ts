/**
 * How a field of Docker's create document is described: it works, differs from Docker's, is
 * discarded with a warning, ignored, or refused.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { BoxDefinition } from '../../boxes/record/box.ts';
import type { VmSpec } from '../../engine/vm/vm-spec.ts';

/** The layer that needs a field: the record, by which the server acts, the engine, or the guest. */
export interface Effects {
  readonly record: BoxDefinition;
  readonly vm: VmSpec;
  readonly spec: BoxSpec;
}

export interface Works {
  readonly kind: 'works' | 'differs';
  readonly value: unknown;
  /** The cases in which the inspection does not show the value as it was given. */
  readonly shown?: unknown;
  readonly effect: (effect: Effects) => unknown;
  readonly expected: unknown;
  /** The rest of the request: fields of `HostConfig`, or beside it. */
  readonly beside?: Readonly<Record<string, unknown>>;
  readonly besideHost?: Readonly<Record<string, unknown>>;
  /** The difference to Docker's behaviour, or the limit. */
  readonly note?: string;
  /** Docker's values that are refused with the field's name. */
  readonly refused?: readonly unknown[];
}

export interface Refused {
  readonly kind: 'refused';
  /** A value that asks for something. */
  readonly value: unknown;
  /** Values besides null and empty ones that ask for nothing. */
  readonly neutral?: readonly unknown[];
}

/** A value that is taken, and discarded with Docker's warning. */
export interface Discarded {
  readonly kind: 'discarded';
  readonly value: unknown;
}

/** Any value is taken, and has no effect. */
export interface Ignored {
  readonly kind: 'ignored';
  readonly value: unknown;
}

export type Field = Works | Refused | Discarded | Ignored;

export function works(value: unknown, effect: Works['effect'], expected: unknown = value): Works {
  return { kind: 'works', value, effect, expected };
}

export function differs(
  note: string,
  value: unknown,
  effect: Works['effect'],
  expected: unknown = value,
): Works {
  return { ...works(value, effect, expected), kind: 'differs', note };
}

export function refused(value: unknown, ...neutral: readonly unknown[]): Refused {
  return { kind: 'refused', value, neutral };
}

export function discarded(value: unknown): Discarded {
  return { kind: 'discarded', value };
}

export function ignored(value: unknown): Ignored {
  return { kind: 'ignored', value };
}
