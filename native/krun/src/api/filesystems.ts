/**
 * libkrun's functions for directories of the host, and for files that are in memory alone.
 *
 * @module
 */
import {
  type ApiFunction,
  bool,
  context,
  length,
  NO_CONTEXT,
  NOT_UTF8,
  optionalText,
  text,
  texts,
  u32,
  u64,
} from './describe.ts';

const NO_DIRECTORY = 'a directory of the path is none';
const NO_PLACE = 'there is no such context, file system, or directory in it';

export const FILESYSTEMS = {
  krun_set_root: {
    since: '0.1.1',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the root directory',
    arguments: [context, text('root_path')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'adds',
    builds: 'plain',
  },
  krun_add_virtiofs: {
    since: '1.8.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'share a directory',
    arguments: [context, text('c_tag'), optionalText('c_path')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'adds',
    builds: 'plain',
  },
  krun_add_virtiofs2: {
    since: '1.9.5',
    returns: 'int32_t',
    result: 'nothing',
    does: 'share a directory',
    arguments: [context, text('c_tag'), optionalText('c_path'), u64('shm_size')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'adds',
    builds: 'plain',
  },
  krun_add_virtiofs3: {
    since: '1.18.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'share a directory',
    arguments: [context, text('c_tag'), optionalText('c_path'), u64('shm_size'), bool('read_only')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'adds',
    builds: 'plain',
  },
  krun_set_mapped_volumes: {
    since: '0.1.3',
    returns: 'int32_t',
    result: 'nothing',
    does: 'map volumes',
    arguments: [context, texts('mapped_volumes')],
    errors: { EINVAL: 'libkrun no longer does this' },
    builds: 'plain',
    deprecated: 'krun_add_virtiofs3',
  },
  krun_disable_implicit_init: {
    since: '1.19.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'leave out the init of libkrun',
    arguments: [context],
    errors: { ENOENT: NO_CONTEXT },
    again: 'replaces',
    builds: 'plain',
  },
  krun_get_default_init: {
    since: '1.19.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'read the init of libkrun',
    // The bytes are part of the library: they are there, unchanged, as long as the process lives.
    arguments: [
      { name: 'data_out', type: 'const uint8_t**' },
      { name: 'len_out', type: 'size_t*' },
    ],
    errors: { EINVAL: 'a pointer is NULL', ENOTSUP: 'libkrun was compiled without its init' },
    builds: 'plain',
  },
  krun_fs_add_overlay_file: {
    since: '1.19.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a file to a shared directory',
    arguments: [
      context,
      text('fs_tag'),
      text('path'),
      { name: 'data', type: 'const uint8_t*', after: 'kept' },
      length('data_len', 'data'),
      u32('mode'),
      bool('one_shot'),
    ],
    errors: { EINVAL: 'the path is empty', ENOENT: NO_PLACE, ENOTDIR: NO_DIRECTORY },
    again: 'adds',
    builds: 'plain',
  },
  krun_fs_add_overlay_dir: {
    since: '1.19.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a directory to a shared directory',
    arguments: [context, text('fs_tag'), text('path'), u32('mode')],
    errors: { EINVAL: 'the path is empty', ENOENT: NO_PLACE, ENOTDIR: NO_DIRECTORY },
    again: 'adds',
    builds: 'plain',
  },
} as const satisfies Record<string, ApiFunction>;
