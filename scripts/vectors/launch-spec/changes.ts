/**
 * The size of the writable layer.
 *
 * @module
 */
import type { Change, Refused } from './resources.ts';

const MIB = 2 ** 20;
const DISK: Change = ['rootfs.changes', 'encrypted-disk'];
const bytes = (value: unknown): Change => ['rootfs.changesBytes', value];
const memory = (value: number): Change => ['resources.memoryBytes', value];

export const CHANGES_ACCEPTED: readonly Refused[] = [
  [
    'changes-bytes',
    'The largest, however little memory there is.',
    DISK,
    bytes(2 ** 43),
    memory(1),
  ],
  ['changes-bytes-memory', 'Half of the memory.', bytes(32 * MIB), memory(64 * MIB)],
  ['changes-bytes-odd', 'No whole number of blocks.', DISK, bytes(2 ** 30 + 1)],
];

export const CHANGES_RULES: readonly Refused[] = [
  ['changes-bytes-small', 'Less than 32 MiB.', DISK, bytes(32 * MIB - 1)],
  ['changes-bytes-large', 'More than 8 TiB.', DISK, bytes(2 ** 43 + 1)],
  ['changes-bytes-text', 'A number as text.', DISK, bytes('67108864')],
  ['changes-bytes-null', 'Null is no value.', DISK, bytes(null)],
  ['changes-bytes-unsaid', 'Half of what, no spec says.', bytes(32 * MIB)],
  ['changes-bytes-half', 'More than half of it.', bytes(32 * MIB), memory(64 * MIB - 1)],
];
