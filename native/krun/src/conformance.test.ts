// What libkrun refuses, and with which error: the test library does as libkrun does. With
// A3S_KRUN_LIBRARY the same is asked of the library that it names. No microVM is started.
import { closeSync, openSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSTANTS } from './api/constants.ts';
import type { ApiFunction } from './api/describe.ts';
import { FUNCTIONS, type FunctionName } from './api/functions.ts';
import { KrunContext } from './context.ts';
import { KrunError } from './errors.ts';
import { LIBRARY_VARIABLE } from './find-library.ts';
import { KrunLibrary } from './library.ts';
import { TestLibraries } from './testing/test-library.ts';

const MAC = new Uint8Array([2, 0, 0, 0, 0, 1]);
const { NET_FEATURE_GUEST_TSO4, NET_FLAG_VFKIT, NET_FLAG_DHCP_CLIENT } = CONSTANTS;

type Refusal = readonly [
  what: string,
  needs: FunctionName,
  call: (context: KrunContext) => unknown,
  code: string | undefined,
];

const REFUSALS: readonly Refusal[] = [
  [
    'no processors',
    'krun_set_vm_config',
    (context) => context.call('krun_set_vm_config', 0, 128),
    'krun-refused',
  ],
  [
    'no memory',
    'krun_set_vm_config',
    (context) => context.call('krun_set_vm_config', 1, 0),
    'krun-refused',
  ],
  [
    'a kernel of an unknown format',
    'krun_set_kernel',
    (context) => context.call('krun_set_kernel', '/dev/null', 6, null, null),
    'krun-refused',
  ],
  [
    'an initrd that is not there',
    'krun_set_kernel',
    (context) => context.call('krun_set_kernel', '/dev/null', 1, '/nowhere', null),
    'krun-refused',
  ],
  [
    'no kernel that is not there yet',
    'krun_set_kernel',
    (context) => context.call('krun_set_kernel', '/nowhere', 1, null, null),
    undefined,
  ],
  [
    'a disk of an unknown format',
    'krun_add_disk2',
    (context) => context.call('krun_add_disk2', 'a', '/dev/null', 3, true),
    'krun-refused',
  ],
  [
    'a disk with an unknown way of synchronization',
    'krun_add_disk3',
    (context) => context.call('krun_add_disk3', 'a', '/dev/null', 0, true, false, 3),
    'krun-refused',
  ],
  [
    'a root on a disk without a disk',
    'krun_set_root_disk_remount',
    (context) => context.call('krun_set_root_disk_remount', '/dev/vda', null, null),
    'krun-refused',
  ],
  [
    'mapped volumes',
    'krun_set_mapped_volumes',
    (context) => context.call('krun_set_mapped_volumes', []),
    'krun-refused',
  ],
  [
    'an overlay file in a share that is not there',
    'krun_fs_add_overlay_file',
    (context) => context.call('krun_fs_add_overlay_file', 'a', 'f', MAC, 0o644, false),
    'krun-not-found',
  ],
  [
    'a network device with neither path nor descriptor',
    'krun_add_net_unixstream',
    (context) => context.call('krun_add_net_unixstream', null, -1, MAC, 0, 0),
    'krun-refused',
  ],
  [
    'a network device with path and descriptor',
    'krun_add_net_unixgram',
    (context) => context.call('krun_add_net_unixgram', '/a', 0, MAC, 0, 0),
    'krun-refused',
  ],
  [
    'the magic of vfkit on a stream',
    'krun_add_net_unixstream',
    (context) => context.call('krun_add_net_unixstream', '/a', -1, MAC, 0, NET_FLAG_VFKIT),
    'krun-refused',
  ],
  [
    'an unknown feature of a network device',
    'krun_add_net_unixgram',
    (context) => context.call('krun_add_net_unixgram', '/a', -1, MAC, 1 << 2, 0),
    'krun-refused',
  ],
  [
    'segmentation without checksums',
    'krun_add_net_tap',
    (context) =>
      context.call('krun_add_net_tap', 'a', MAC, NET_FEATURE_GUEST_TSO4, NET_FLAG_DHCP_CLIENT),
    'krun-refused',
  ],
  [
    'a port that is mapped twice',
    'krun_set_port_map',
    (context) => context.call('krun_set_port_map', ['80:80', '80:81']),
    'krun-refused',
  ],
  [
    'a port map with a word',
    'krun_set_port_map',
    (context) => context.call('krun_set_port_map', ['80:http']),
    'krun-refused',
  ],
  [
    'a socket to listen on that exists',
    'krun_add_vsock_port2',
    (context) => context.call('krun_add_vsock_port2', 1, '/dev/null', true),
    'krun-exists',
  ],
  [
    'vsock beside the implicit one',
    'krun_add_vsock',
    (context) => context.call('krun_add_vsock', 0),
    'krun-exists',
  ],
  [
    'an unknown feature of vsock',
    'krun_add_vsock',
    (context) => context.call('krun_add_vsock', 4),
    'krun-refused',
  ],
  [
    'a second file of the console',
    'krun_set_console_output',
    (context) => {
      context.call('krun_set_console_output', '/dev/null');
      context.call('krun_set_console_output', '/dev/null');
    },
    'krun-refused',
  ],
  [
    'a port of a console that is not there',
    'krun_add_console_port_inout',
    (context) => context.call('krun_add_console_port_inout', 0, null, 0, 1),
    'krun-refused',
  ],
];

const named = process.env[LIBRARY_VARIABLE] ?? '';
const SUBJECTS = ['the test library', ...(named === '' ? [] : [named])];

describe.each(SUBJECTS)('the rules of %s', (subject) => {
  let libraries: TestLibraries;
  let library: KrunLibrary;

  beforeAll(() => {
    libraries = new TestLibraries();
    library = KrunLibrary.load('krun', subject === named ? named : libraries.build());
  });

  afterAll(() => {
    libraries[Symbol.dispose]();
  });

  it.each(REFUSALS)('refuses %s', (_, needs, call, code) => {
    using context = KrunContext.create(library);
    expect(codeOf(() => call(context))).toBe(library.has(needs) ? code : 'krun-function-missing');
  });

  it('refuses ports once vsock is disabled, and takes them with a device of its own', () => {
    if (!library.has('krun_add_vsock')) return;
    using context = KrunContext.create(library);
    context.call('krun_disable_implicit_vsock');
    expect(codeOf(() => context.call('krun_add_vsock_port', 1, '/a'))).toBe('krun-no-device');
    context.call('krun_add_vsock', 0);
    context.call('krun_add_vsock_port', 1, '/a');
  });

  it('refuses a terminal that is none, and ports of a console without ports', () => {
    if (!library.has('krun_add_virtio_console_multiport')) return;
    const file = openSync('/dev/null', 'r+');
    using context = KrunContext.create(library);
    context.call('krun_add_virtio_console_default', file, file, file);
    const console = context.call('krun_add_virtio_console_multiport');
    expect(console).toBe(1);
    const tty = (): unknown => context.call('krun_add_console_port_tty', console, null, file);
    expect(codeOf(tty)).toBe('krun-no-terminal');
    const port = (id: number): unknown =>
      context.call('krun_add_console_port_inout', id, 'name', file, file);
    expect(codeOf(() => port(0))).toBe('krun-refused');
    expect(codeOf(() => port(console))).toBeUndefined();
    closeSync(file);
  });

  it('refuses an unknown context in each function', () => {
    const values: Readonly<Record<string, unknown>> = {
      bool: true,
      'char*': 'a',
      'const char*': '/a',
      'const char*const[]': [],
      'const uint8_t*': new Uint8Array(1),
      'const void*': new Uint8Array(1),
      'uint8_t*const': MAC,
      uint64_t: 1n,
    };
    const rows = Object.entries<ApiFunction>(FUNCTIONS).filter(
      ([name, row]) => row.arguments[0]?.name === 'ctx_id' && library.has(name as FunctionName),
    );
    const call = library.call.bind(library) as unknown as (
      name: string,
      ...given: unknown[]
    ) => unknown;
    for (const [name, row] of rows) {
      const taken = row.arguments.slice(1).filter(({ lengthOf }) => lengthOf === undefined);
      const given = taken.map(({ type }) => values[type] ?? 1);
      expect([name, codeOf(() => call(name, 4_000_000_000, ...given))]).toEqual([
        name,
        expect.stringMatching(/^krun-(not-found|refused|not-supported|no-terminal)$/),
      ]);
    }
    expect(rows.length).toBeGreaterThan(20);
  });

  it('starts neither a kernel that is not ELF nor more devices than interrupt lines', async () => {
    const start = async (kernel: string, disks: number): Promise<unknown> => {
      const context = KrunContext.create(library);
      context.call('krun_set_kernel', kernel, CONSTANTS.KRUN_KERNEL_FORMAT_ELF, null, null);
      for (let n = 0; n < disks; n++) {
        context.call('krun_add_disk2', `disk-${n}`, libraries.kernelPath, 0, true);
      }
      return await context.startEnter().catch((error: KrunError) => error.code);
    };
    if (!library.has('krun_set_kernel') || !library.has('krun_add_disk2')) return;
    expect(await start('/dev/null', 0)).toBe('krun-refused');
    expect(await start(libraries.kernelPath, 12)).toBe('krun-refused');
  });

  it('does not use the number of a context again', () => {
    const first = library.call('krun_create_ctx');
    library.call('krun_free_ctx', first);
    const second = library.call('krun_create_ctx');
    library.call('krun_free_ctx', second);
    expect(second).toBeGreaterThan(first);
    expect(codeOf(() => library.call('krun_free_ctx', first))).toBe('krun-not-found');
  });

  it('says for each feature whether it is there', () => {
    const { features, missing } = library.report();
    const lacks = missing.some(({ name }) => name === 'krun_has_feature');
    expect(features === undefined).toBe(lacks);
    expect(codeOf(() => library.call('krun_has_feature', 1_000_000n))).toBe(
      lacks ? 'krun-function-missing' : 'krun-refused',
    );
  });
});

/** The code of what this throws. */
function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof KrunError) return error.code;
    throw error;
  }
  return undefined;
}
