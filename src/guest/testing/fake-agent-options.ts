/**
 * How a fake agent differs from one that does all that it is asked.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { FakeConfidentialOptions } from './fake-confidential.ts';
import type { FakeProgram } from './fake-process.ts';
import type { FakeRefusal } from './fake-refusal.ts';

export interface FakeAgentOptions {
  /** More programs, by the last part of `args[0]`. */
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  /** Refuses the spec: a disk that does not appear and the like. */
  readonly refuseSpec?: FakeRefusal;
  /** `{ minimum: 1, maximum: 3 }` is an agent that an earlier version left running. */
  readonly protocol?: { minimum: number; maximum: number };
  /** The guest's seconds for each of the host's. */
  readonly clockRate?: number;
  /** Fails the warm-up. */
  readonly refuseWarmUp?: FakeRefusal;
  /** Refuses other limits. */
  readonly refuseResources?: FakeRefusal;
  /** Users that the box knows, apart from numbers. */
  readonly users?: readonly string[];
  /** It was prepared when its template was saved. */
  readonly paused?: boolean;
  /** It is a fork of a guest whose box ran this spec and was frozen. */
  readonly forkOf?: BoxSpec | undefined;
  /** It is the agent of a confidential guest. */
  readonly confidential?: FakeConfidentialOptions | undefined;
}
