/**
 * `--network`: a name, or in the long form `name=NAME,alias=ALIAS,ip=ADDRESS,mac-address=ADDRESS`,
 * `ip6=ADDRESS`, `gw-priority=NUMBER`, `driver-opt=KEY=VALUE` and `link-local-ip=ADDRESS`.
 *
 * @module
 */
import { UsageError } from '../usage-error.ts';
import { parseCsvRecord } from './mounts/csv.ts';

export interface NetworkFlag {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly ip: string;
  readonly ip6: string;
  readonly mac: string;
  /** Of the networks of a box the highest is its way out; 0: not asked for. */
  readonly priority: number;
  readonly linkLocal: readonly string[];
  /** By their keys. */
  readonly driverOptions: Readonly<Record<string, string>>;
}

const LONG = /^\w+=.*/;

/** @throws RangeError in Docker's words; UsageError for what boxes cannot have */
export function parseNetwork(text: string): NetworkFlag {
  if (!LONG.test(text)) {
    const nothing = { ip: '', ip6: '', mac: '', priority: 0, driverOptions: {} };
    return checked({ name: text, aliases: [], linkLocal: [], ...nothing });
  }
  let [name, ip, ip6, mac] = ['', '', '', ''];
  let priority = 0;
  const aliases: string[] = [];
  const options: string[] = [];
  const linkLocal: string[] = [];
  for (const field of parseCsvRecord(text)) {
    const equals = field.indexOf('=');
    const key = field.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    const value = field.slice(equals + 1).trim();
    if (equals <= 0 || value === '') throw new RangeError(`invalid field ${field}`);
    if (key === 'name') name = value;
    else if (key === 'alias') aliases.push(value);
    else if (key === 'ip') ip = value;
    else if (key === 'ip6') ip6 = value;
    else if (key === 'mac-address') mac = value;
    else if (key === 'gw-priority') priority = priorityOf(value);
    else if (key === 'driver-opt') options.push(value);
    else if (key === 'link-local-ip') linkLocal.push(value);
    else throw new RangeError(`invalid field key ${key}`);
  }
  if (name === '') throw new RangeError('network name/id is not specified');
  const driverOptions = driverOptionsOf(options);
  return checked({ name, aliases, ip, ip6, mac, priority, linkLocal, driverOptions });
}

/** @throws RangeError in Docker's words for what is not `KEY=VALUE` */
export function driverOptionsOf(options: readonly string[]): Readonly<Record<string, string>> {
  const pairs = options.map((option) => {
    const equals = option.indexOf('=');
    if (equals <= 0) throw new RangeError('invalid key value pair in driver options');
    return [option.slice(0, equals).trim().toLowerCase(), option.slice(equals + 1).trim()];
  });
  return Object.fromEntries(pairs);
}

function priorityOf(value: string): number {
  if (/^-?\d{1,9}$/.test(value)) return Number(value);
  throw new RangeError(`invalid gw-priority ${value}`);
}

function checked(network: NetworkFlag): NetworkFlag {
  const { name } = network;
  if (name === 'host' || name.startsWith('container:')) throw unsupported(`network ${name}`);
  return name === 'bridge' ? { ...network, name: 'default' } : network;
}

function unsupported(what: string): UsageError {
  return new UsageError(
    `unsupported ${what}: a box is a microVM, and has a network card of its own`,
    {
      code: 'unsupported-option',
      remedy: 'Name default, none or a network of a3s-box network ls.',
    },
  );
}
