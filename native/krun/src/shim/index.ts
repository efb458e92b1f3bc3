/**
 * What starts a shim and reads its record: nothing here loads a library.
 *
 * @module
 */
export {
  SHIM_DESCRIPTORS,
  SHIM_ENVIRONMENT,
  SHIM_MONITOR,
  type ShimCommand,
  shimCommand,
} from './command.ts';
export type { ShimDescription } from './description.ts';
export { RECORD_BYTES, type RunRecord, readRecord } from './run-record.ts';
