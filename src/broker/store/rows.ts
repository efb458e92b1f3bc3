/**
 * The rows of the broker's store that both databases give alike.
 *
 * @module
 */
import type { RecordKind, StoredSession } from './store.ts';

/** `Bool` is how the database gives a truth value. */
export interface RecordRow<Bool> {
  readonly tenant: string;
  readonly kind: RecordKind;
  readonly name: string;
  readonly version: number;
  readonly epoch: number;
  readonly wrapped_key: Buffer;
  readonly sealed: Buffer;
  readonly changed_at: number;
  readonly declared: Bool;
}

export interface SessionRow
  extends Pick<StoredSession, 'place' | 'tenant' | 'client' | 'launch' | 'state'> {
  readonly expires_at: number;
  readonly uses_left: number;
  readonly sealed: Buffer;
}
