/**
 * The flag that makes `run` start a fork.
 *
 * @module
 */
import { type Flag, string } from './flag.ts';

export const FROM_SNAPSHOT_FLAG: Flag = string(
  'from-snapshot',
  'Start from a snapshot instead of an image',
  { value: 'snapshot' },
);
