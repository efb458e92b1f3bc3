/**
 * libkrun's functions for displays, graphics, sound and input. Boxes have none of these.
 *
 * @module
 */
import {
  type ApiFunction,
  bool,
  context,
  descriptor,
  length,
  NO_CONTEXT,
  u16,
  u32,
  u64,
} from './describe.ts';

const NO_GPU = 'libkrun was compiled without GPU=1';
const NO_INPUT = 'libkrun was compiled without INPUT=1';
const NO_DISPLAY = 'there is no such display';
const OWN_EDID = 'the display has an EDID of its own';

export const DISPLAY = {
  krun_set_gpu_options: {
    since: '1.8.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a graphics device',
    arguments: [context, u32('virgl_flags')],
    errors: { ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
  krun_set_gpu_options2: {
    since: '1.9.5',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a graphics device',
    arguments: [context, u32('virgl_flags'), u64('shm_size')],
    errors: { ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
  krun_add_display: {
    since: '1.15.0',
    returns: 'int32_t',
    result: 'number',
    does: 'add a display',
    arguments: [context, u32('width'), u32('height')],
    errors: { ENOENT: NO_CONTEXT, ENOMEM: 'there are 16 displays', ENOTSUP: NO_GPU },
    again: 'adds',
  },
  krun_display_set_edid: {
    since: '1.15.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the EDID of a display',
    arguments: [
      context,
      u32('display_id'),
      { name: 'edid_blob', type: 'const uint8_t*' },
      length('blob_size', 'edid_blob'),
    ],
    errors: { EINVAL: NO_DISPLAY, ENOENT: NO_CONTEXT, ENOTSUP: NO_GPU },
    again: 'replaces',
  },
  krun_display_set_dpi: {
    since: '1.15.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the resolution of a display',
    arguments: [context, u32('display_id'), u32('dpi')],
    errors: { EINVAL: `${NO_DISPLAY}, or ${OWN_EDID}`, ENOENT: NO_CONTEXT, ENOTSUP: NO_GPU },
    again: 'replaces',
  },
  krun_display_set_physical_size: {
    since: '1.15.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the size of a display',
    arguments: [context, u32('display_id'), u16('width_mm'), u16('height_mm')],
    errors: { EALREADY: OWN_EDID, EINVAL: NO_DISPLAY, ENOENT: NO_CONTEXT, ENOTSUP: NO_GPU },
    again: 'replaces',
  },
  krun_display_set_refresh_rate: {
    since: '1.15.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the refresh rate of a display',
    arguments: [context, u32('display_id'), u32('refresh_rate')],
    errors: { EALREADY: OWN_EDID, EINVAL: NO_DISPLAY, ENOENT: NO_CONTEXT, ENOTSUP: NO_GPU },
    again: 'replaces',
  },
  krun_set_display_backend: {
    since: '1.15.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set what shows displays',
    // The structure is copied; the functions that it points to are called as long as the VM runs.
    arguments: [
      context,
      { name: 'display_backend', type: 'const void*' },
      length('backend_size', 'display_backend'),
    ],
    errors: { EINVAL: 'the structure is malformed', ENOENT: NO_CONTEXT, ENOTSUP: NO_GPU },
    again: 'replaces',
  },
  krun_add_input_device: {
    since: '1.16.0',
    returns: 'int',
    result: 'nothing',
    does: 'add an input device',
    arguments: [
      context,
      { name: 'config_backend', type: 'const void*' },
      length('config_backend_size', 'config_backend'),
      { name: 'events_backend', type: 'const void*' },
      length('events_backend_size', 'events_backend'),
    ],
    errors: { EINVAL: 'a structure is malformed', ENOENT: NO_CONTEXT, ENOTSUP: NO_INPUT },
    again: 'adds',
  },
  krun_add_input_device_fd: {
    since: '1.16.0',
    returns: 'int',
    result: 'nothing',
    does: 'add an input device of the host',
    arguments: [context, descriptor('input_fd')],
    errors: { EINVAL: 'it is no descriptor', ENOENT: NO_CONTEXT, ENOTSUP: NO_INPUT },
    again: 'adds',
  },
  krun_set_snd_device: {
    since: '1.9.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'choose sound',
    arguments: [context, bool('enable')],
    errors: { ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
} as const satisfies Record<string, ApiFunction>;
