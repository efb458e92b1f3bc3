/**
 * libkrun's functions around a context: logging, making, starting and ending it, and what the
 * library can do.
 *
 * @module
 */
import { type ApiFunction, context, int, NO_CONTEXT, u8, u32, u64 } from './describe.ts';

export const LIFECYCLE = {
  krun_set_log_level: {
    since: '0.1.1',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the level of the log',
    arguments: [u32('level')],
    errors: {},
    again: 'undefined',
    deprecated: 'krun_init_log',
  },
  krun_init_log: {
    since: '1.13.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'open the log',
    // A descriptor above 2 is closed with the library's logger. -1 is standard error.
    arguments: [
      { ...int('target_fd'), after: 'taken' },
      u32('level'),
      u32('style'),
      u32('options'),
    ],
    errors: { EINVAL: 'the target is standard input or no descriptor, or the style is unknown' },
    again: 'undefined',
  },
  krun_create_ctx: {
    since: '0.1.1',
    returns: 'int32_t',
    result: 'context',
    does: 'make a context',
    arguments: [],
    errors: {},
  },
  krun_free_ctx: {
    since: '0.1.1',
    returns: 'int32_t',
    result: 'nothing',
    does: 'free the context',
    arguments: [context],
    errors: { ENOENT: NO_CONTEXT },
  },
  krun_set_vm_config: {
    since: '0.1.1',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set processors and memory',
    arguments: [context, u8('num_vcpus'), u32('ram_mib')],
    errors: { EINVAL: 'processors or memory are 0', ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
  krun_start_enter: {
    since: '0.1.1',
    returns: 'int32_t',
    result: 'nothing',
    does: 'start the microVM',
    arguments: [context],
    errors: {
      EINVAL: 'the configuration, a disk or the hypervisor was refused; the log says which',
      ENOENT: 'there is no such context, or no kernel: neither one was set nor libkrunfw found',
      EPERM: 'the user or group id could not be changed',
    },
  },
  krun_get_shutdown_eventfd: {
    since: '1.8.0',
    returns: 'int32_t',
    result: 'descriptor',
    does: 'get the descriptor that asks the guest to shut down',
    arguments: [context],
    errors: {
      // In 1.19.0 only macOS on aarch64 has one.
      EINVAL: 'this build of libkrun has no such descriptor on this platform',
      ENOENT: NO_CONTEXT,
    },
  },
  krun_has_feature: {
    since: '1.17.3',
    returns: 'int32_t',
    result: 'boolean',
    does: 'ask for a feature',
    arguments: [u64('feature')],
    errors: { EINVAL: 'the library is older than the feature' },
  },
  krun_get_max_vcpus: {
    since: '1.16.0',
    returns: 'int32_t',
    result: 'number',
    does: 'ask the hypervisor how many processors a microVM may have',
    arguments: [],
    errors: { EINVAL: 'the hypervisor cannot be used' },
  },
  krun_check_nested_virt: {
    since: '1.12.0',
    returns: 'int32_t',
    result: 'boolean',
    does: 'ask for nested virtualization',
    arguments: [],
    errors: { EINVAL: 'the hypervisor did not answer', ENOTSUP: 'the platform has none' },
  },
} as const satisfies Record<string, ApiFunction>;
