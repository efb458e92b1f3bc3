/**
 * The working state of a simulated processor: its keys, its model, and its misbehaviour.
 *
 * @module
 */
import type { PlatformInfo } from '../../report/report-claims.ts';
import type { OpenedState } from '../state.ts';
import type { Effect } from './misbehaviour.ts';
import type { SimulatedModel } from './models.ts';

/** Versions in which a simulated processor can report. */
export type ReportVersion = 2 | 3 | 4 | 5;

export interface Firmware {
  readonly state: OpenedState;
  readonly model: SimulatedModel;
  readonly reportVersion: ReportVersion;
  /** What the platform has switched on. */
  readonly platformInfo: PlatformInfo;
  /** Its misbehaviour. */
  readonly effects: readonly Effect[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Applies the changes of one kind, one after the other. */
export function applyEffects<T>(
  effects: readonly Effect[],
  start: T,
  change: (effect: Effect, value: T) => T | undefined,
): T {
  return effects.reduce<T>((value, effect) => change(effect, value) ?? value, start);
}
