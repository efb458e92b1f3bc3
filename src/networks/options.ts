/**
 * Options of the driver `bridge`. Those that ask for what every network has are taken.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

const MTU = 'com.docker.network.driver.mtu';
/** The kernel's bound for IPv4, and the largest that the host's side carries. */
const MIN_MTU = 68;
const MAX_MTU = 65_520;

const FALSE: readonly string[] = ['', 'false', 'f', 'F', 'FALSE', 'False', '0'];
const TRUE: readonly string[] = ['', 'true', 't', 'T', 'TRUE', 'True', '1'];

/** From an option to the values that ask for what every network has. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  'com.docker.network.bridge.name': [''],
  'com.docker.network.bridge.default_bridge': FALSE,
  'com.docker.network.bridge.enable_icc': TRUE,
  'com.docker.network.bridge.enable_ip_masquerade': TRUE,
  'com.docker.network.bridge.gateway_mode_ipv4': ['', 'nat'],
  'com.docker.network.bridge.host_binding_ipv4': ['', '0.0.0.0'],
  'com.docker.network.bridge.inhibit_ipv4': FALSE,
  'com.docker.network.bridge.trusted_host_interfaces': [''],
  'com.docker.network.container_iface_prefix': ['', 'eth'],
  'com.docker.network.enable_ipv4': TRUE,
  'com.docker.network.enable_ipv6': FALSE,
};

/**
 * @throws A3sError `unsupported-option`, or `invalid-argument` for an MTU that no network can have
 */
export function checkOptions(options: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (name === MTU) {
      readMtu(value);
    } else if (!Object.hasOwn(DEFAULTS, name)) {
      throw unsupported(name, 'there is no such option');
    } else if (DEFAULTS[name]?.includes(value) !== true) {
      throw unsupported(name, `a network has it as Docker has it by default, and not ${value}`);
    }
  }
}

/** The MTU that a network was created with. @returns undefined where it was left to the server */
export function mtuOf(options: Readonly<Record<string, string>>): number | undefined {
  const value = options[MTU];
  return value === undefined ? undefined : readMtu(value);
}

function readMtu(value: string): number | undefined {
  // Docker leaves these to itself.
  if (['', '0'].includes(value)) return undefined;
  const mtu = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (mtu >= MIN_MTU && mtu <= MAX_MTU) return mtu;
  throw new A3sError(
    'invalid-argument',
    `Cannot create the network: the MTU ${value.slice(0, 64)} is not from ${MIN_MTU} to ${MAX_MTU}`,
    { remedy: 'Give a number of bytes in that range, or leave the option out.' },
  );
}

function unsupported(name: string, why: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot create the network: the option ${name.slice(0, 64)} is not supported: ${why.slice(0, 256)}`,
    { remedy: 'Leave it out.' },
  );
}
