/**
 * What holds the root key: it encrypts the data key of each record, and nothing else.
 *
 * A root key has epochs: a rotation adds one, records are wrapped again under it, and the older
 * ones are removed. A provider whose keys never leave a token can implement it too, so every call
 * is asynchronous. Several brokers may have one root key: {@link RootKeys.add} and
 * {@link RootKeys.retireBelow} are called by one of them at a time.
 *
 * @module
 */

export interface RootKeys {
  /** The epochs that there are, ascending; never empty. */
  readonly epochs: readonly number[];
  /** Encrypts a data key of 32 bytes. `context` has to be the same to decrypt it. */
  wrap(epoch: number, dataKey: Uint8Array, context: Uint8Array): Promise<Buffer>;
  /** Undefined where it is not one that this epoch's key wrapped in this context. */
  unwrap(epoch: number, wrapped: Uint8Array, context: Uint8Array): Promise<Buffer | undefined>;
  /** A value that depends on the key and betrays nothing of it: it tells two keys apart. */
  fingerprint(epoch: number): Promise<string>;
  /** Looks for epochs that another broker has made or removed. */
  refresh(): Promise<void>;
  /** Makes the next epoch, durably, and returns it. */
  add(): Promise<number>;
  /** Removes the epochs below this one, durably. What they wrapped is lost. */
  retireBelow(epoch: number): Promise<void>;
}
