/**
 * The flags of `run` and `create` for what the processes of a box may do.
 *
 * @module
 */
import { type Flag, list } from './flag.ts';

export const SECURITY_FLAGS: readonly Flag[] = [
  list('cap-add', 'Add Linux capabilities'),
  list('cap-drop', 'Drop Linux capabilities'),
];
