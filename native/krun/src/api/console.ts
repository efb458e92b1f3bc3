/**
 * libkrun's functions for consoles and ports.
 *
 * @module
 */
import {
  type ApiFunction,
  context,
  descriptor,
  NO_CONTEXT,
  NOT_UTF8,
  optionalText,
  text,
  u32,
} from './describe.ts';

const NO_CONSOLE = 'there is no such console, or it has no ports of its own';

export const CONSOLE = {
  krun_set_console_output: {
    since: '1.8.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the file of the implicit console',
    arguments: [context, text('c_filepath')],
    errors: { EINVAL: 'it was set before', ENOENT: NO_CONTEXT },
    again: 'refused',
  },
  krun_disable_implicit_console: {
    since: '1.16.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'leave out the implicit console',
    arguments: [context],
    errors: { ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
  krun_add_virtio_console_default: {
    since: '1.16.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a console',
    arguments: [context, descriptor('input_fd'), descriptor('output_fd'), descriptor('err_fd')],
    errors: { ENOENT: NO_CONTEXT },
    again: 'adds',
  },
  krun_add_serial_console_default: {
    since: '1.16.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a serial port',
    arguments: [context, descriptor('input_fd'), descriptor('output_fd')],
    errors: { ENOENT: NO_CONTEXT },
    again: 'adds',
  },
  krun_add_virtio_console_multiport: {
    since: '1.17.0',
    returns: 'int32_t',
    result: 'number',
    does: 'add a console with ports',
    arguments: [context],
    errors: { ENOENT: NO_CONTEXT },
    again: 'adds',
  },
  krun_add_console_port_tty: {
    since: '1.17.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a terminal to a console',
    arguments: [context, u32('console_id'), optionalText('name'), descriptor('tty_fd')],
    errors: {
      EINVAL: `${NO_CONSOLE}, or the descriptor is negative`,
      ENOENT: NO_CONTEXT,
      ENOTTY: 'the descriptor is no terminal',
    },
    again: 'adds',
  },
  krun_add_console_port_inout: {
    since: '1.17.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a port to a console',
    arguments: [
      context,
      u32('console_id'),
      optionalText('name'),
      descriptor('input_fd'),
      descriptor('output_fd'),
    ],
    errors: { EINVAL: `${NO_CONSOLE}; ${NOT_UTF8}`, ENOENT: NO_CONTEXT },
    again: 'adds',
  },
} as const satisfies Record<string, ApiFunction>;
