/**
 * `--network`: a name, or in the long form `name=NAME,alias=ALIAS,ip=ADDRESS,mac-address=ADDRESS`,
 * `ip6=ADDRESS` and `gw-priority=NUMBER`.
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
}

const LONG = /^\w+=.*/;
/** Docker's keys that a network of boxes does not have. */
const UNSUPPORTED: readonly string[] = ['driver-opt', 'link-local-ip'];

/** @throws RangeError in Docker's words; UsageError for what boxes cannot have */
export function parseNetwork(text: string): NetworkFlag {
  if (!LONG.test(text)) {
    return checked({ name: text, aliases: [], ip: '', ip6: '', mac: '', priority: 0 });
  }
  let [name, ip, ip6, mac] = ['', '', '', ''];
  let priority = 0;
  const aliases: string[] = [];
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
    else if (UNSUPPORTED.includes(key)) throw unsupported(`${key} of --network`);
    else throw new RangeError(`invalid field key ${key}`);
  }
  if (name === '') throw new RangeError('network name/id is not specified');
  return checked({ name, aliases, ip, ip6, mac, priority });
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
  return new UsageError(`unsupported ${what}: a box has one address of each family in a network`, {
    code: 'unsupported-option',
    remedy: 'Name default, none or a network of a3s-box network ls.',
  });
}
