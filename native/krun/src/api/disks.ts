/**
 * libkrun's functions for disks.
 *
 * @module
 */
import {
  type ApiFunction,
  bool,
  context,
  NO_CONTEXT,
  NOT_UTF8,
  optionalText,
  text,
  u32,
} from './describe.ts';

export const DISKS = {
  krun_add_disk: {
    since: '1.9.5',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a raw disk',
    arguments: [context, text('block_id'), text('disk_path'), bool('read_only')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'adds',
    builds: 'blk',
  },
  krun_add_disk2: {
    since: '1.10.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a disk',
    arguments: [
      context,
      text('block_id'),
      text('disk_path'),
      u32('disk_format'),
      bool('read_only'),
    ],
    errors: { EINVAL: 'the format is unknown', ENOENT: NO_CONTEXT },
    again: 'adds',
    builds: 'blk',
  },
  krun_add_disk3: {
    since: '1.17.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a disk',
    arguments: [
      context,
      text('block_id'),
      text('disk_path'),
      u32('disk_format'),
      bool('read_only'),
      bool('direct_io'),
      u32('sync_mode'),
    ],
    errors: { EINVAL: 'the format or the mode of synchronization is unknown', ENOENT: NO_CONTEXT },
    again: 'adds',
    builds: 'blk',
  },
  krun_set_root_disk: {
    since: '0.1.8',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the root disk',
    arguments: [context, text('disk_path')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'replaces',
    builds: 'blk',
    // Where krun_add_disk was called too, this call has no effect.
    deprecated: 'krun_add_disk',
  },
  krun_set_data_disk: {
    since: '1.5.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the data disk',
    arguments: [context, text('disk_path')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'replaces',
    builds: 'blk',
    deprecated: 'krun_add_disk',
  },
  krun_set_root_disk_remount: {
    since: '1.15.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'make a disk the root',
    arguments: [context, text('device'), optionalText('fstype'), optionalText('options')],
    errors: { EINVAL: 'there is a root already, or no disk', ENOENT: NO_CONTEXT },
    again: 'refused',
    builds: 'plain-blk',
  },
} as const satisfies Record<string, ApiFunction>;
