/**
 * libkrun's function for devices that another program serves: a vhost-user backend, which shares
 * the guest's memory.
 *
 * No release has it yet, and a build has it with VHOST_USER=1 alone. Its header names no virtio-fs
 * among the devices, and its sources take any type: they ask the backend for the device's features
 * and configuration.
 *
 * @module
 */
import { type ApiFunction, context, NO_CONTEXT, optionalText, text, u16, u32 } from './describe.ts';

/** The type of virtio-fs, in the table of virtio 1.2, section 5. */
export const VIRTIO_FS = 26;

export const VHOST_USER = {
  krun_add_vhost_user_device: {
    since: 'unreleased',
    returns: 'int32_t',
    result: 'nothing',
    does: 'add a device of a vhost-user backend',
    arguments: [
      context,
      u32('device_type'),
      text('socket_path'),
      optionalText('name'),
      u16('num_queues'),
      { name: 'queue_sizes', type: 'const uint16_t*', nullable: true },
    ],
    errors: {
      EINVAL: 'the path of the socket is empty or no UTF-8',
      ENOENT: NO_CONTEXT,
      ENOTSUP: 'libkrun was compiled without VHOST_USER=1',
    },
    again: 'adds',
    builds: 'vhost-user',
  },
} as const satisfies Record<string, ApiFunction>;
