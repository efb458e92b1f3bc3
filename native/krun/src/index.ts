/**
 * libkrun's C API, as a table of its functions.
 *
 * @module
 */
export { CONSTANTS, FEATURES, type FeatureName } from './api/constants.ts';
export type { ApiFunction, Argument, Builds, CType, ErrnoName, Errors } from './api/describe.ts';
export { API_RELEASE, FUNCTIONS, type FunctionName } from './api/functions.ts';
