/**
 * Turns a description into a context of libkrun.
 *
 * Nothing is left to libkrun's defaults: without its implicit vsock a guest without a network
 * device reaches no socket of the host, and without its implicit console it has no terminal of the
 * shim.
 *
 * @module
 */
import { CONSTANTS } from '../api/constants.ts';
import type { FunctionName } from '../api/functions.ts';
import { VIRTIO_FS } from '../api/vhost-user.ts';
import { KrunContext } from '../context.ts';
import { KrunError } from '../errors.ts';
import type { KrunLibrary } from '../library.ts';
import type { ShimDescription } from './description.ts';

const KERNEL_FORMATS = {
  raw: CONSTANTS.KRUN_KERNEL_FORMAT_RAW,
  elf: CONSTANTS.KRUN_KERNEL_FORMAT_ELF,
  'pe-gz': CONSTANTS.KRUN_KERNEL_FORMAT_PE_GZ,
  'image-bz2': CONSTANTS.KRUN_KERNEL_FORMAT_IMAGE_BZ2,
  'image-gz': CONSTANTS.KRUN_KERNEL_FORMAT_IMAGE_GZ,
  'image-zstd': CONSTANTS.KRUN_KERNEL_FORMAT_IMAGE_ZSTD,
} as const;

const DISK_FORMATS = {
  raw: CONSTANTS.KRUN_DISK_FORMAT_RAW,
  qcow2: CONSTANTS.KRUN_DISK_FORMAT_QCOW2,
} as const;

const TSI = {
  inet: CONSTANTS.KRUN_TSI_HIJACK_INET,
  unix: CONSTANTS.KRUN_TSI_HIJACK_UNIX,
} as const;

/** What passt can do; the same as libkrun's older call for it asked for. */
const NETWORK_FEATURES =
  CONSTANTS.NET_FEATURE_CSUM |
  CONSTANTS.NET_FEATURE_GUEST_CSUM |
  CONSTANTS.NET_FEATURE_GUEST_TSO4 |
  CONSTANTS.NET_FEATURE_GUEST_UFO |
  CONSTANTS.NET_FEATURE_HOST_TSO4 |
  CONSTANTS.NET_FEATURE_HOST_UFO;

/** Of virtio-fs: what must not wait, and requests. QEMU gives them as many places. */
const SHARE_QUEUES = Uint16Array.of(128, 128);

/** The ends of the guest's console. */
export interface ConsoleDescriptors {
  readonly input: number;
  readonly output: number;
}

const BOOT_FUNCTIONS = {
  kernel: 'krun_set_kernel',
  firmware: 'krun_set_firmware',
  bundled: 'krun_set_exec',
  tee: 'krun_set_tee_config_file',
} as const;

/** What every microVM is configured and started with. */
const ALWAYS_NEEDED = [
  'krun_create_ctx',
  'krun_free_ctx',
  'krun_set_vm_config',
  'krun_disable_implicit_console',
  'krun_disable_implicit_vsock',
  'krun_get_shutdown_eventfd',
  'krun_start_enter',
] as const satisfies readonly FunctionName[];

/** The functions of libkrun that a description needs. */
export function neededFunctions(description: ShimDescription): readonly FunctionName[] {
  const { boot, disks, shares, networkDevices, ports, tsi, console } = description;
  const needed: FunctionName[] = [...ALWAYS_NEEDED];
  needed.push(
    BOOT_FUNCTIONS[boot.kind],
    ...networkDevices.map(({ kind }) => networkFunction(kind)),
  );
  if (disks.length > 0) needed.push('krun_add_disk3');
  if (shares.length > 0) needed.push('krun_add_vhost_user_device');
  if (ports.length + tsi.length > 0) needed.push('krun_add_vsock', 'krun_add_vsock_port2');
  if (console !== undefined) needed.push(consoleFunction(console.device));
  return needed;
}

/**
 * @param console undefined where the description has none
 * @throws KrunError `krun-function-missing` before anything was made, or what libkrun refuses
 */
export function configure(
  library: KrunLibrary,
  description: ShimDescription,
  console: ConsoleDescriptors | undefined,
): KrunContext {
  const missing = neededFunctions(description).filter((name) => !library.has(name));
  if (missing.length > 0) {
    throw new KrunError(
      'krun-function-missing',
      `Cannot configure the microVM: ${library.path} has no ${[...new Set(missing)].join(', ')}`,
      { remedy: 'Install libkrun 1.18 or newer, compiled with BLK=1 and NET=1.' },
    );
  }
  openLog(library);
  const context = KrunContext.create(library);
  try {
    context.call('krun_set_vm_config', description.vcpus, description.memoryMib);
    setBoot(context, description.boot);
    addDevices(context, description);
    addVsock(context, description);
    addConsole(context, description, console);
    return context;
  } catch (error) {
    context.free();
    throw error;
  }
}

/** Without it libkrun says nowhere why it refuses something. Its environment does not change it. */
function openLog(library: KrunLibrary): void {
  if (!library.has('krun_init_log')) return;
  const { KRUN_LOG_LEVEL_ERROR, KRUN_LOG_STYLE_NEVER, KRUN_LOG_OPTION_NO_ENV } = CONSTANTS;
  const STANDARD_ERROR = 2;
  library.call(
    'krun_init_log',
    STANDARD_ERROR,
    KRUN_LOG_LEVEL_ERROR,
    KRUN_LOG_STYLE_NEVER,
    KRUN_LOG_OPTION_NO_ENV,
  );
}

function setBoot(context: KrunContext, boot: ShimDescription['boot']): void {
  switch (boot.kind) {
    case 'kernel':
      context.call(
        'krun_set_kernel',
        boot.path,
        KERNEL_FORMATS[boot.format],
        boot.initrd ?? null,
        boot.commandLine,
      );
      break;
    case 'firmware':
      context.call('krun_set_firmware', boot.path);
      break;
    case 'tee':
      context.call('krun_set_tee_config_file', boot.configuration);
      break;
    case 'bundled':
      context.call('krun_set_exec', boot.program, boot.arguments, boot.environment);
  }
}

function addDevices(
  context: KrunContext,
  { disks, shares, networkDevices }: ShimDescription,
): void {
  for (const { id, path, format, readonly } of disks) {
    const sync = CONSTANTS.KRUN_SYNC_FULL;
    context.call('krun_add_disk3', id, path, DISK_FORMATS[format], readonly, false, sync);
  }
  for (const { tag, socket } of shares) {
    const { length } = SHARE_QUEUES;
    context.call('krun_add_vhost_user_device', VIRTIO_FS, socket, tag, length, SHARE_QUEUES);
  }
  for (const device of networkDevices) addNetworkDevice(context, device);
}

type NetworkDevice = ShimDescription['networkDevices'][number];

function networkFunction(kind: NetworkDevice['kind']) {
  if (kind === 'tap') return 'krun_add_net_tap';
  return kind === 'datagram-path' ? 'krun_add_net_unixgram' : 'krun_add_net_unixstream';
}

function addNetworkDevice(context: KrunContext, device: NetworkDevice): void {
  const mac = Uint8Array.from(device.mac.split(':'), (byte) => Number.parseInt(byte, 16));
  switch (device.kind) {
    case 'tap':
      context.call('krun_add_net_tap', device.name, mac, NETWORK_FEATURES, 0);
      break;
    case 'stream':
      context.call('krun_add_net_unixstream', null, device.descriptor, mac, NETWORK_FEATURES, 0);
      break;
    case 'stream-path':
      context.call('krun_add_net_unixstream', device.path, -1, mac, NETWORK_FEATURES, 0);
      break;
    case 'datagram-path':
      context.call('krun_add_net_unixgram', device.path, -1, mac, NETWORK_FEATURES, 0);
  }
}

function addVsock(context: KrunContext, { ports, tsi }: ShimDescription): void {
  context.call('krun_disable_implicit_vsock');
  if (ports.length + tsi.length === 0) return;
  context.call(
    'krun_add_vsock',
    tsi.reduce((bits, name) => bits | TSI[name], 0),
  );
  for (const { port, path, listen } of ports) {
    context.call('krun_add_vsock_port2', port, path, listen);
  }
}

function consoleFunction(device: 'serial' | 'virtio') {
  return device === 'serial'
    ? 'krun_add_serial_console_default'
    : 'krun_add_virtio_console_default';
}

function addConsole(
  context: KrunContext,
  description: ShimDescription,
  ends: ConsoleDescriptors | undefined,
): void {
  context.call('krun_disable_implicit_console');
  if (description.console === undefined || ends === undefined) return;
  if (description.console.device === 'serial') {
    context.call('krun_add_serial_console_default', ends.input, ends.output);
  } else {
    context.call('krun_add_virtio_console_default', ends.input, ends.output, ends.output);
  }
}
