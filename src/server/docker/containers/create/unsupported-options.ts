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
}
export type AbsentOptions = Readonly<Record<string, Absent>>;

function either(...values: readonly unknown[]): Test {
  return (value) => isZero(value) || values.includes(value);
}

function absent(why: string, neutral: Test = isZero): Absent {
  return { neutral, why };
}

/** The refused action, in messages. */
const CREATE = 'create the box';

const WINDOWS = 'it is of Windows';
const NO_HOST = 'a box is a microVM, and shares nothing of the kind with the host';
export const OWN_KERNEL =
  'each box has a kernel of its own, and shares it with neither the host nor another box';
const LINKS = 'boxes find each other by name in a user-defined network';
const CARD = 'the address of a network card is chosen in user-defined networks alone';
const RESOLVER = 'the resolver of a box is the host’s';
const GUEST_IO =
  'only the one disk that a box writes to can be held to rates: BlkioDeviceReadBps and its like';

export const ABSENT_CONFIG: AbsentOptions = {
  ArgsEscaped: absent(WINDOWS),
  MacAddress: absent(CARD),
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
  Isolation: absent(WINDOWS, either('default')),
  KernelMemory: absent('Docker has removed it'),
  KernelMemoryTCP: absent('Docker has removed it'),
  Links: absent(LINKS),
  MemorySwappiness: absent('a guest has no swap', either(-1)),
  OomKillDisable: absent('a box that has no memory left would hang for ever'),
  PidMode: absent(OWN_KERNEL),
  PublishAllPorts: absent('publish each port by its number'),
  Runtime: absent('there is one runtime, a3s-box', either('a3s-box')),
  UTSMode: absent(OWN_KERNEL),
};

/**
 * The options of one entry of `EndpointsConfig`. A user-defined network has aliases, an address and a hardware address.
 */
export const ABSENT_ENDPOINT: AbsentOptions = {
  IPAMConfig: absent('user-specified IP address is supported on user-defined networks only'),
  Links: absent(LINKS),
  Aliases: absent('network-scoped aliases are only supported for user-defined networks'),
  MacAddress: absent(CARD),
  NetworkID: absent('a server says it, and no client'),
  EndpointID: absent('a server says it, and no client'),
  Gateway: absent('a server says it, and no client'),
  IPAddress: absent('a server says it, and no client'),
  IPPrefixLen: absent('a server says it, and no client'),
  IPv6Gateway: absent('boxes have no IPv6'),
  GlobalIPv6Address: absent('boxes have no IPv6'),
  GlobalIPv6PrefixLen: absent('boxes have no IPv6'),
  DriverOpts: absent('a box’s network has no options'),
  DNSNames: absent('a server says it, and no client'),
  GwPriority: absent('a box is in one network'),
};

/**
 * Returns the implemented options. All others must ask for nothing. Names match in any case, as in Go.
 *
 * @param where prefix of names in messages, such as `HostConfig.`
 * @param implemented undefined: every name is implemented
 * @param more.ignored receives the names of unknown options that ask for nothing
 * @throws A3sError `unsupported-option` with the name, `invalid-argument` for a value that is no object
 */
export function withoutAbsent(
  where: string,
  value: unknown,
  implemented: readonly string[] | undefined,
  absentOptions: AbsentOptions,
  more: { readonly verb?: string; readonly ignored?: string[] } = {},
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
    else if (!known.neutral(option)) throw unsupported(shown, known.why, more.verb);
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
