/**
 * Docker's options that boxes do not have. Each may have a value that asks for nothing, since
 * clients send such values. Any other value is refused by name, never stored and ignored.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../../../errors.ts';
import { fieldNames, isZero } from '../../go-document.ts';

type Test = (value: unknown) => boolean;

/** An option that boxes do not have. */
export interface UnsupportedOption {
  /** Whether a value asks for nothing. */
  readonly neutral: Test;
  /** Why boxes do not have it. */
  readonly why: string;
  /** Docker discards the option with a warning, on a host that lacks it. */
  readonly discarded?: Discarded;
}

/** An option without which a box is what was asked for, as Docker sees it. */
interface Discarded {
  /** Docker's words. */
  readonly warning: string;
  /** The values that Docker's client and server can read. */
  readonly schema: z.ZodType;
  readonly kind: string;
}
export type UnsupportedOptions = Readonly<Record<string, UnsupportedOption>>;

function either(...values: readonly unknown[]): Test {
  return (value) => isZero(value) || values.includes(value);
}

/** Of an object with a fixed set of names. */
function hasOnlyZeros(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return isZero(value);
  return Object.values(value).every(isZero);
}

function option(why: string, neutral: Test = isZero): UnsupportedOption {
  return { neutral, why };
}

/** What Docker says of a setting that the kernel of its host lacks. */
function lacking(capability: string, discarded: string): string {
  return `Your kernel does not support ${capability} or the cgroup is not mounted. ${discarded} discarded.`;
}

function discarded(
  why: string,
  warning: string,
  [kind, schema]: readonly [string, z.ZodType] = INTEGER,
  neutral?: Test,
): UnsupportedOption {
  return { ...option(why, neutral), discarded: { warning, kind, schema } };
}

const INTEGER = ['an integer', z.int()] as const;
const WEIGHT = ['an integer from 0 to 65535', z.int().min(0).max(65_535)] as const;
const BOOLEAN = ['true or false', z.boolean()] as const;
const WEIGHTS = ['a list of devices and weights', z.array(z.looseObject({})).max(256)] as const;

const NO_WEIGHTS = 'the disks of a microVM have no weights';
const NO_KERNEL_LIMIT = 'a guest has no limit of its kernel’s memory';

/**
 * Limits that Docker discards, on create and on update, where the kernel of its host has no such
 * control. The kernel of a guest has control groups of version 2, without swap and without the I/O
 * scheduler that weighs.
 */
export const DISCARDED_LIMITS: UnsupportedOptions = {
  BlkioWeight: discarded(NO_WEIGHTS, lacking('Block I/O weight', 'Weight'), WEIGHT),
  BlkioWeightDevice: discarded(
    NO_WEIGHTS,
    lacking('Block I/O weight_device', 'Weight-device'),
    WEIGHTS,
  ),
  CpuPercent: discarded(
    'it is of Windows',
    'linux does not support CPU percent. Percent discarded.',
  ),
  KernelMemory: discarded(
    NO_KERNEL_LIMIT,
    lacking('kernel memory limit capabilities', 'Limitation'),
  ),
  KernelMemoryTCP: discarded(
    NO_KERNEL_LIMIT,
    lacking('kernel memory TCP limit capabilities', 'Limitation'),
  ),
  MemorySwappiness: discarded(
    'a guest has no swap',
    lacking('memory swappiness capabilities', 'Memory swappiness'),
    INTEGER,
    (value) => value === null || value === undefined || value === -1,
  ),
  OomKillDisable: discarded(
    'a guest has control groups of version 2, which cannot switch the killer off',
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    BOOLEAN,
  ),
};

/** The refused action, in messages. */
const CREATE = 'create the box';

const WINDOWS = 'it is of Windows';
const NO_HOST = 'a box is a microVM, and shares nothing of the kind with the host';
export const OWN_KERNEL =
  'each box has a kernel of its own, and shares it with neither the host nor another box';
/** Docker takes those of `bridge` there, and does nothing. */
const LINKS = 'links of the default network are in HostConfig.Links';

export const UNSUPPORTED_HOST_CONFIG: UnsupportedOptions = {
  ...DISCARDED_LIMITS,
  Capabilities: option('say CapAdd and CapDrop'),
  Cgroup: option(NO_HOST),
  CgroupParent: option('the control groups of a box are in its own kernel'),
  CgroupnsMode: option(OWN_KERNEL, either('private')),
  CpuCount: option(WINDOWS),
  CpuRealtimePeriod: option('the kernel of a guest schedules nothing in real time'),
  CpuRealtimeRuntime: option('the kernel of a guest schedules nothing in real time'),
  CpusetMems: option(
    'a guest has one memory node, and shares memory with the template that it starts from',
  ),
  DeviceRequests: option('no device of the host is in a box'),
  IOMaximumBandwidth: option(WINDOWS),
  IOMaximumIOps: option(WINDOWS),
  PidMode: option(OWN_KERNEL),
  UTSMode: option(OWN_KERNEL),
};

/** Clients send back what `inspect` has shown them; Compose also fills in the address. */
const REPORTED = option(
  'the server reports it; as in Docker, a value of the client has no effect',
  () => true,
);

/**
 * The options of one entry of `EndpointsConfig`. A user-defined network has aliases, an address and
 * a hardware address.
 */
export const UNSUPPORTED_ENDPOINT: UnsupportedOptions = {
  IPAMConfig: option(
    'user-specified IP address is supported on user-defined networks only',
    hasOnlyZeros,
  ),
  Links: option(LINKS),
  Aliases: option('network-scoped aliases are only supported for user-defined networks'),
  NetworkID: REPORTED,
  EndpointID: REPORTED,
  Gateway: REPORTED,
  IPAddress: REPORTED,
  IPPrefixLen: REPORTED,
  IPv6Gateway: REPORTED,
  GlobalIPv6Address: REPORTED,
  GlobalIPv6PrefixLen: REPORTED,
  DNSNames: REPORTED,
  GwPriority: option('the way out is chosen among user-defined networks, with 0 for bridge'),
};

/**
 * Returns the implemented options. All others must ask for nothing. Names match in any case, as in
 * Go.
 *
 * @param where prefix of names in messages, such as `HostConfig.`
 * @param implemented undefined: every name is implemented
 * @param more.ignored receives the names of unknown options that ask for nothing
 * @param more.warnings receives the warnings about options that are discarded
 * @throws A3sError `unsupported-option` with the name, `invalid-argument` for a value that is no
 * object
 */
export function withoutUnsupported(
  where: string,
  value: unknown,
  implemented: readonly string[] | undefined,
  unsupportedOptions: UnsupportedOptions,
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
  const nameOf = fieldNames([...(implemented ?? []), ...Object.keys(unsupportedOptions)]);
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
    const known = Object.hasOwn(unsupportedOptions, name) ? unsupportedOptions[name] : undefined;
    if (known === undefined) kept[name] = option;
    else if (known.neutral(option)) continue;
    else if (known.discarded === undefined || more.warnings === undefined) {
      throw unsupported(shown, known.why, more.verb);
    } else more.warnings.push(discard(shown, option, known.discarded));
  }
  return kept;
}

/**
 * The warning about a value that is discarded.
 *
 * @throws A3sError `invalid-argument` for a value that Docker cannot read
 */
export function discard(
  name: string,
  value: unknown,
  { warning, schema, kind }: Discarded,
): string {
  if (schema.safeParse(value).success) return warning;
  throw new A3sError('invalid-argument', `Invalid request: ${name} must be ${kind}`);
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
