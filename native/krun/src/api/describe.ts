/**
 * The words in which the table of libkrun's functions is written.
 *
 * @module
 */

/** Types of C that libkrun's functions take, as its header writes them. */
export type CType =
  | 'bool'
  | 'char*'
  | 'const char*'
  | 'const char*const[]'
  | 'const uint16_t*'
  | 'const uint8_t*'
  | 'const uint8_t**'
  | 'const void*'
  | 'gid_t'
  | 'int'
  | 'size_t'
  | 'size_t*'
  | 'uid_t'
  | 'uint16_t'
  | 'uint32_t'
  | 'uint64_t'
  | 'uint8_t'
  | 'uint8_t*const';

export interface Argument {
  readonly name: string;
  readonly type: CType;
  /** Whether NULL has a meaning. */
  readonly nullable?: true;
  /** The argument whose length in bytes this one is. The binding computes it. */
  readonly lengthOf?: string;
  /** The exact length in bytes, where libkrun reads so many without asking. */
  readonly bytes?: number;
  /**
   * What libkrun does with it after the call: `kept` uses the memory or descriptor as long as the
   * process lives, `taken` closes the descriptor itself. Absent: it has made a copy, and the
   * caller's may change or go.
   */
  readonly after?: 'kept' | 'taken';
}

/** Why a call fails, by the name of the error. */
export type Errors = Readonly<Partial<Record<ErrnoName, string>>>;

export type ErrnoName =
  | 'EALREADY'
  | 'EEXIST'
  | 'EINVAL'
  | 'ENODEV'
  | 'ENOENT'
  | 'ENOMEM'
  | 'ENOTDIR'
  | 'ENOTSUP'
  | 'ENOTTY'
  | 'EPERM';

export interface ApiFunction {
  /** The first release that has it. */
  readonly since: `${number}.${number}.${number}` | 'unreleased';
  /** As the header writes it; both are 32 bits. */
  readonly returns: 'int32_t' | 'int';
  /** What a result that is not negative means. */
  readonly result: 'nothing' | 'context' | 'number' | 'descriptor' | 'boolean';
  /** What it does: the words between "Cannot" and the reason in a message. */
  readonly does: string;
  readonly arguments: readonly Argument[];
  readonly errors: Errors;
  /**
   * What a second call for the same context does: it `replaces` the first, `adds` to it, is
   * `refused`, or has an `undefined` effect (it ends the process). Absent: there is no state.
   */
  readonly again?: 'replaces' | 'adds' | 'refused' | 'undefined';
  /** The builds that have it; absent: all. */
  readonly builds?: Builds;
  /** What to call in its place. */
  readonly deprecated?: string;
}

/**
 * `blk`, `net`, `vhost-user`: compiled with BLK=1, NET=1, VHOST_USER=1; `tee`: libkrun-sev and
 * libkrun-tdx alone; `plain`: all but those and the one for Nitro enclaves; `plain-blk`: both.
 */
export type Builds = 'blk' | 'net' | 'vhost-user' | 'tee' | 'plain' | 'plain-blk';

type Named<N extends string, T extends CType> = { readonly name: N; readonly type: T };

const typed =
  <T extends CType>(type: T) =>
  <const N extends string>(name: N): Named<N, T> => ({ name, type });

export const context = typed('uint32_t')('ctx_id');
export const u8 = typed('uint8_t');
export const u16 = typed('uint16_t');
export const u32 = typed('uint32_t');
export const u64 = typed('uint64_t');
export const int = typed('int');
export const bool = typed('bool');
export const text = typed('const char*');
export const texts = typed('const char*const[]');

export const optionalText = <const N extends string>(name: N) =>
  ({ ...text(name), nullable: true }) as const;
export const optionalTexts = <const N extends string>(name: N) =>
  ({ ...texts(name), nullable: true }) as const;
/** A descriptor that has to stay open as long as the process lives. */
export const descriptor = <const N extends string>(name: N) =>
  ({ ...int(name), after: 'kept' }) as const;
export const length = <const N extends string, const O extends string>(name: N, lengthOf: O) =>
  ({ name, type: 'size_t', lengthOf }) as const;
export const mac = { name: 'c_mac', type: 'uint8_t*const', bytes: 6 } as const;

export const NO_CONTEXT = 'there is no such context';
export const NOT_UTF8 = 'a text is not UTF-8';
