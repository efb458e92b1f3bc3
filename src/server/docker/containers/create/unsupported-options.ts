/**
 * Docker's options that boxes do not have. Each may have a value that asks for nothing, since clients send such values.
 * Any other value is refused by name, never stored and ignored.
 *
 * @module
 */
import { A3sError } from '../../../../errors.ts';
import { fieldNames, isZero } from '../../go-document.ts';

type Test = (value: unknown) => boolean;

/** An option that boxes do not have. */
export interface Absent {
  /** Whether a value asks for nothing. */
  readonly neutral: Test;
  /** Why boxes do not have it. */
  readonly why: string;
  /** Docker's words where it discards the option with a warning, on a host that lacks it. */
  readonly warning?: string;
}
export type AbsentOptions = Readonly<Record<string, Absent>>;

function either(...values: readonly unknown[]): Test {
  return (value) => isZero(value) || values.includes(value);
}

function absent(why: string, neutral: Test = isZero): Absent {
  return { neutral, why };
}

/** What Docker says where control groups have no such setting, as those of version 2. */
const NO_SWAPPINESS =
  'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.';

/** Swappiness is discarded, as on a host with control groups of version 2. */
export const SWAPPINESS: Absent = {
  ...absent('a guest has no swap', (value) => value === -1),
  warning: NO_SWAPPINESS,
};

/** The refused action, in messages. */
const CREATE = 'create the box';

const WINDOWS = 'it is of Windows';
const NO_HOST = 'a box is a microVM, and shares nothing of the kind with the host';
export const OWN_KERNEL =
  'each box has a kernel of its own, and shares it with neither the host nor another box';
const NETWORKS = 'boxes are in a network of their own, or in none';
const RESOLVER = 'the resolver of a box is the host’s';
const GUEST_IO =
  'only the one disk that a box writes to can be held to rates: BlkioDeviceReadBps and its like';

export const ABSENT_CONFIG: AbsentOptions = {
  ArgsEscaped: absent(WINDOWS),
  MacAddress: absent('the address of a box’s network card is not chosen'),
  NetworkDisabled: absent('say HostConfig.NetworkMode none'),
  OnBuild: absent('images are not built here'),
  Shell: absent('images are not built here'),
};

export const ABSENT_HOST_CONFIG: AbsentOptions = {
  BlkioWeight: absent(GUEST_IO),
  BlkioWeightDevice: absent(GUEST_IO),
  Capabilities: absent('say CapAdd and CapDrop'),
  Cgroup: absent(NO_HOST),
  CgroupParent: absent('the control groups of a box are in its own kernel'),
  CgroupnsMode: absent(OWN_KERNEL, either('private')),
  CpuCount: absent(WINDOWS),
  CpuPercent: absent(WINDOWS),
  CpuRealtimePeriod: absent('the kernel of a guest schedules nothing in real time'),
  CpuRealtimeRuntime: absent('the kernel of a guest schedules nothing in real time'),
  CpusetMems: absent('a box’s memory is bound to no node of the host'),
  DeviceCgroupRules: absent('no device of the host is in a box'),
  DeviceRequests: absent('no device of the host is in a box'),
  Dns: absent(RESOLVER),
  DnsOptions: absent(RESOLVER),
  DnsSearch: absent(RESOLVER),
  ExtraHosts: absent('/etc/hosts is the image’s'),
  IOMaximumBandwidth: absent(WINDOWS),
  IOMaximumIOps: absent(WINDOWS),
  KernelMemory: absent('Docker has removed it'),
  KernelMemoryTCP: absent('Docker has removed it'),
  Links: absent(NETWORKS),
  MemorySwappiness: SWAPPINESS,
  OomKillDisable: absent('a box that has no memory left would hang for ever'),
  PidMode: absent(OWN_KERNEL),
  PublishAllPorts: absent('publish each port by its number'),
  Runtime: absent('there is one runtime, a3s-box', either('a3s-box')),
  UTSMode: absent(OWN_KERNEL),
};

/** The options of one entry of `EndpointsConfig`. */
export const ABSENT_ENDPOINT: AbsentOptions = {
  IPAMConfig: absent('the address of a box is not chosen'),
  Links: absent(NETWORKS),
  Aliases: absent(NETWORKS),
  MacAddress: absent('the address of a box’s network card is not chosen'),
  NetworkID: absent('a server says it, and no client'),
  EndpointID: absent('a server says it, and no client'),
  Gateway: absent('a server says it, and no client'),
  IPAddress: absent('a server says it, and no client'),
  IPPrefixLen: absent('a server says it, and no client'),
  IPv6Gateway: absent('boxes have no IPv6'),
  GlobalIPv6Address: absent('boxes have no IPv6'),
  GlobalIPv6PrefixLen: absent('boxes have no IPv6'),
  DriverOpts: absent('a box’s network has no options'),
  DNSNames: absent(NETWORKS),
  GwPriority: absent(NETWORKS),
};

const ENDPOINTS = 'NetworkingConfig.EndpointsConfig';

/**
 * Endpoints may name only the network that the box has.
 *
 * @throws A3sError `unsupported-option` with the name, `invalid-argument`
 */
export function checkNetworking(
  networking: unknown,
  network: 'default' | 'none',
  ignored: string[],
): void {
  const { EndpointsConfig } = withoutAbsent(
    'NetworkingConfig.',
    networking,
    ['EndpointsConfig'],
    {},
    { ignored },
  );
  const endpoints = withoutAbsent(`${ENDPOINTS}.`, EndpointsConfig, undefined, {});
  for (const [name, endpoint] of Object.entries(endpoints)) {
    if (!['default', 'bridge', 'none'].includes(name)) {
      throw unsupported(ENDPOINTS, `there is no network ${name.slice(0, 64)}: ${NETWORKS}`);
    }
    if ((name === 'none') !== (network === 'none')) {
      throw unsupported(ENDPOINTS, `the box's network is ${network}, and not ${name}`);
    }
    withoutAbsent(`${ENDPOINTS}.${name}.`, endpoint, [], ABSENT_ENDPOINT, { ignored });
  }
}

/**
 * Returns the implemented options. All others must ask for nothing. Names match in any case, as in Go.
 *
 * @param where prefix of names in messages, such as `HostConfig.`
 * @param implemented undefined: every name is implemented
 * @param more.ignored receives the names of unknown options that ask for nothing
 * @param more.warnings receives the warnings about options that are discarded
 * @throws A3sError `unsupported-option` with the name, `invalid-argument` for a value that is no object
 */
export function withoutAbsent(
  where: string,
  value: unknown,
  implemented: readonly string[] | undefined,
  absentOptions: AbsentOptions,
  more: {
    readonly verb?: string;
    readonly ignored?: string[];
    readonly warnings?: string[];
  } = {},
): Record<string, unknown> {
  // Without a prototype, `__proto__` is a name like any other.
  const kept: Record<string, unknown> = Object.create(null);
  if (value === null || value === undefined) return kept;
  if (typeof value !== 'object' || Array.isArray(value)) {
    const what = where.replace(/\.$/, '') || 'the body';
    throw new A3sError('invalid-argument', `Invalid request: ${what} must be an object`);
  }
  const nameOf = fieldNames([...(implemented ?? []), ...Object.keys(absentOptions)]);
  for (const [key, option] of Object.entries(value)) {
    const name = implemented === undefined ? key : nameOf(key);
    const shown = `${where}${(name ?? key).slice(0, 64)}`;
    if (name === undefined) {
      if (!isZero(option)) throw unsupported(shown, 'there is no such option', more.verb);
      more.ignored?.push(shown);
      continue;
    }
    // Absent and null values never ask for anything.
    if (option === null || option === undefined) continue;
    const known = Object.hasOwn(absentOptions, name) ? absentOptions[name] : undefined;
    if (known === undefined) kept[name] = option;
    else if (known.neutral(option)) continue;
    else if (known.warning === undefined || more.warnings === undefined) {
      throw unsupported(shown, known.why, more.verb);
    } else {
      // Docker's client and server know it as a number.
      if (!Number.isSafeInteger(option)) {
        throw new A3sError('invalid-argument', `Invalid request: ${shown} must be an integer`);
      }
      more.warnings.push(known.warning);
    }
  }
  return kept;
}

/** The warnings of an answer about unknown fields that were ignored. */
export function ignoredWarnings(ignored: readonly string[]): string[] {
  return ignored.map(
    (name) => `${name} is not known here; it was ignored, as its value asks for nothing`,
  );
}

/** The refusal of an option that boxes do not have. */
export function unsupported(name: string, detail: string, verb = CREATE): A3sError {
  return new A3sError('unsupported-option', `Cannot ${verb}: ${name} is not supported: ${detail}`, {
    remedy: 'Leave the option out.',
  });
}
