/**
 * The types of calls, computed from the table of functions.
 *
 * @module
 */
import type { Argument, CType } from './api/describe.ts';
import type { FUNCTIONS, FunctionName } from './api/functions.ts';

interface ValueTypes extends Record<CType, unknown> {
  bool: boolean;
  'char*': string;
  'const char*': string;
  'const char*const[]': readonly string[];
  'const uint16_t*': Uint16Array;
  'const uint8_t*': Uint8Array;
  'const uint8_t**': [unknown];
  'const void*': Uint8Array;
  gid_t: number;
  int: number;
  size_t: never;
  'size_t*': [bigint | number];
  uid_t: number;
  uint16_t: number;
  uint32_t: number;
  uint64_t: bigint;
  uint8_t: number;
  'uint8_t*const': Uint8Array;
}

type Value<A> = A extends Argument
  ? A extends { readonly nullable: true }
    ? ValueTypes[A['type']] | null
    : ValueTypes[A['type']]
  : never;

/** Without the lengths, which the binding computes. */
type Values<L> = L extends readonly [infer A, ...infer Rest]
  ? A extends { readonly lengthOf: string }
    ? Values<Rest>
    : readonly [Value<A>, ...Values<Rest>]
  : readonly [];

interface ResultTypes {
  nothing: undefined;
  context: number;
  number: number;
  descriptor: number;
  boolean: boolean;
}

/** What a call of the function takes. */
export type CallArguments<N extends FunctionName> = Values<(typeof FUNCTIONS)[N]['arguments']>;

export type CallResult<N extends FunctionName> = ResultTypes[(typeof FUNCTIONS)[N]['result']];

type AfterContext<L> = L extends readonly [number, ...infer Rest extends readonly unknown[]]
  ? Rest
  : never;

/** Functions that configure a context, and leave it usable. */
export type ContextFunction = {
  [N in FunctionName]: (typeof FUNCTIONS)[N]['arguments'] extends readonly [
    { readonly name: 'ctx_id' },
    ...(readonly unknown[]),
  ]
    ? N extends 'krun_free_ctx' | 'krun_start_enter'
      ? never
      : N
    : never;
}[FunctionName];

/** What a call of the function takes after its context. */
export type ContextArguments<N extends ContextFunction> = AfterContext<CallArguments<N>>;
