/**
 * libkrun's C API: a table of its functions, the library as it is found on a host, and contexts.
 *
 * @module
 */
export { CONSTANTS, FEATURES, type FeatureName } from './api/constants.ts';
export type { ApiFunction, Argument, Builds, CType, ErrnoName, Errors } from './api/describe.ts';
export { API_RELEASE, FUNCTIONS, type FunctionName } from './api/functions.ts';
export type {
  CallArguments,
  CallResult,
  ContextArguments,
  ContextFunction,
} from './call-types.ts';
export { defaultInit, KrunContext } from './context.ts';
export { type KrunCode, KrunError, type KrunErrorDetails } from './errors.ts';
export { LIBRARY_VARIABLE, type Variant } from './find-library.ts';
export { KrunLibrary, type LibraryReport } from './library.ts';
