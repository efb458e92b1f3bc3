/**
 * `--mount`: comma-separated `key=value` pairs, in all of Docker's spellings.
 *
 * @module
 */
import { resolve } from 'node:path';
import type { HostConfig } from '../../../docker-api/containers/create.ts';
import { UsageError } from '../../usage-error.ts';
import { parseGoBool } from '../go-bool.ts';
import { parseBytes } from '../size.ts';
import { parseCsvRecord } from './csv.ts';

type Mount = NonNullable<HostConfig['Mounts']>[number];
type BindOptions = NonNullable<Mount['BindOptions']>;
type Propagation = NonNullable<BindOptions['Propagation']>;

export interface MountFlag {
  readonly mount: Mount;
  /** What Docker advises against. */
  readonly warnings: readonly string[];
}

/** Repeated here, so that the schema library is not loaded for it. */
export const PROPAGATIONS: readonly Propagation[] = [
  ...(['', 'private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const),
];

/** Docker's types that boxes do not have. */
const UNSUPPORTED_TYPES: readonly string[] = ['cluster', 'npipe'];

/** What the pairs have set so far. */
interface Draft {
  readonly cwd: string;
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  consistency: string;
  bind?: {
    propagation?: string;
    nonRecursive?: boolean;
    readOnlyNonRecursive?: true;
    readOnlyForceRecursive?: true;
  };
  volume?: {
    noCopy?: boolean;
    readonly labels: Record<string, string>;
    driver?: string;
    options?: Record<string, string>;
    subpath?: string;
  };
  image?: { subpath: string };
  tmpfs?: { sizeBytes?: number; mode?: number };
}

/**
 * A relative source starts with `./`, and is resolved against `cwd`.
 *
 * @throws RangeError in Docker's words; UsageError for what Docker can mount and boxes cannot
 */
export function parseMount(text: string, cwd: string): MountFlag {
  const draft: Draft = {
    ...{ cwd, type: 'volume', source: '', target: '', readOnly: false, consistency: '' },
  };
  const warnings: string[] = [];
  for (const field of parseCsvRecord(text)) {
    const { key, value } = setField(draft, field);
    if (key === 'bind-nonrecursive' && value !== undefined) {
      warnings.push('bind-nonrecursive is deprecated, use bind-recursive=disabled instead');
    }
  }
  check(draft);
  return { mount: mountOf(draft), warnings };
}

type Setter = (draft: Draft, value: string, key: string) => void;

const setReadOnly: Setter = (draft, value, key) => {
  draft.readOnly = truth(value, key);
};
const setSource: Setter = (draft, value) => {
  const relative = value === '.' || value.startsWith('./');
  draft.source = relative ? resolve(draft.cwd, value) : value;
};
const setTarget: Setter = (draft, value) => {
  draft.target = value;
};

const SETTERS: ReadonlyMap<string, Setter> = new Map<string, Setter>([
  ['type', (draft, value) => (draft.type = value.toLowerCase())],
  ['source', setSource],
  ['src', setSource],
  ['target', setTarget],
  ['dst', setTarget],
  ['destination', setTarget],
  ['readonly', setReadOnly],
  ['ro', setReadOnly],
  ['consistency', (draft, value) => (draft.consistency = value.toLowerCase())],
  ['bind-propagation', (draft, value) => (bind(draft).propagation = value.toLowerCase())],
  ['bind-nonrecursive', (draft, value, key) => (bind(draft).nonRecursive = truth(value, key))],
  ['bind-recursive', setRecursive],
  ['volume-subpath', (draft, value) => (volume(draft).subpath = value)],
  ['volume-nocopy', (draft, value, key) => (volume(draft).noCopy = truth(value, key))],
  ['volume-label', (draft, value) => put(volume(draft).labels, value)],
  ['volume-driver', (draft, value) => (volume(draft).driver = value)],
  ['volume-opt', setOption],
  ['image-subpath', (draft, value) => (draft.image = { subpath: value })],
  ['tmpfs-size', (draft, value, key) => (tmpfs(draft).sizeBytes = size(value, key))],
  ['tmpfs-mode', (draft, value, key) => (tmpfs(draft).mode = mode(value, key))],
]);

/** Keys that may stand alone. */
const BARE: ReadonlySet<string> = new Set(['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive']);

function setField(draft: Draft, field: string): { key: string; value: string | undefined } {
  const equals = field.indexOf('=');
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
  const value = equals < 0 ? undefined : field.slice(equals + 1);
  if (value === undefined && !BARE.has(key)) {
    throw new RangeError(`invalid field '${field}' must be a key=value pair`);
  }
  const set = SETTERS.get(key);
  if (set === undefined) throw new RangeError(`unexpected key '${key}' in '${field}'`);
  set(draft, value ?? 'true', key);
  return { key, value };
}

function bind(draft: Draft): NonNullable<Draft['bind']> {
  draft.bind ??= {};
  return draft.bind;
}

function volume(draft: Draft): NonNullable<Draft['volume']> {
  draft.volume ??= { labels: {} };
  return draft.volume;
}

function setRecursive(draft: Draft, value: string, key: string): void {
  if (value === 'enabled') return;
  if (value === 'disabled') bind(draft).nonRecursive = true;
  else if (value === 'writable') bind(draft).readOnlyNonRecursive = true;
  else if (value === 'readonly') bind(draft).readOnlyForceRecursive = true;
  else {
    throw new RangeError(
      `invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
    );
  }
}

function setOption(draft: Draft, value: string): void {
  const kept = volume(draft);
  kept.options ??= {};
  put(kept.options, value);
}

function tmpfs(draft: Draft): NonNullable<Draft['tmpfs']> {
  draft.tmpfs ??= {};
  return draft.tmpfs;
}

function size(text: string, key: string): number {
  try {
    return parseBytes(text);
  } catch (cause) {
    throw new RangeError(`invalid value for ${key}: ${text}`, { cause });
  }
}

function mode(text: string, key: string): number {
  const bits = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  if (bits < 2 ** 32) return bits;
  throw new RangeError(`invalid value for ${key}: ${text}`);
}

function truth(value: string, key: string): boolean {
  const found = parseGoBool(value);
  if (found === undefined) throw new RangeError(`invalid value for ${key}: ${value}`);
  return found;
}

/** A pair without a name sets nothing. */
function put(record: Record<string, string>, pair: string): void {
  const equals = pair.indexOf('=');
  const name = equals < 0 ? pair : pair.slice(0, equals);
  if (name !== '') record[name] = equals < 0 ? '' : pair.slice(equals + 1);
}

/** In Docker's order, and then what boxes cannot do. */
function check(draft: Draft): void {
  const { type, target } = draft;
  if (type === '') throw new RangeError('type is required');
  if (target === '') throw new RangeError('target is required');
  if (draft.volume !== undefined && type !== 'volume') throw mixed('volume', type);
  if (draft.image !== undefined && type !== 'image') throw mixed('image', type);
  if (draft.bind !== undefined && type !== 'bind') throw mixed('bind', type);
  if (draft.tmpfs !== undefined && type !== 'tmpfs') throw mixed('tmpfs', type);
  checkRecursion(draft);
  if (UNSUPPORTED_TYPES.includes(type)) {
    throw unsupported(
      `mount type ${type}`,
      'Write it as type=bind, type=volume, type=image or type=tmpfs.',
    );
  }
  if (!['bind', 'volume', 'image', 'tmpfs'].includes(type)) {
    throw new RangeError(`invalid mount config for type "${type}": mount type unknown`);
  }
}

function checkRecursion({ bind: options, readOnly }: Draft): void {
  const requires = (value: string, what: string): RangeError =>
    new RangeError(
      `option 'bind-recursive=${value}' requires '${what}' to be specified in conjunction`,
    );
  if (options?.readOnlyNonRecursive && !readOnly) throw requires('writable', 'readonly');
  if (!options?.readOnlyForceRecursive) return;
  if (!readOnly) throw requires('readonly', 'readonly');
  if (options.propagation !== 'rprivate') throw requires('readonly', 'bind-propagation=rprivate');
}

function mixed(options: string, type: string): RangeError {
  return new RangeError(`cannot mix '${options}-*' options with mount type '${type}'`);
}

function unsupported(what: string, remedy: string): UsageError {
  return new UsageError(
    `unsupported ${what} in --mount: a box mounts host paths, volumes, images and memory`,
    {
      code: 'unsupported-option',
      remedy,
    },
  );
}

/** As Docker sends it: what asks for nothing is left out. */
function mountOf(draft: Draft): Mount {
  const { bind: bound, volume: kept, tmpfs: memory } = draft;
  return {
    Type: draft.type,
    Source: draft.source || undefined,
    Target: draft.target,
    ReadOnly: draft.readOnly || undefined,
    Consistency: draft.consistency || undefined,
    BindOptions: bound && {
      Propagation: propagation(bound.propagation ?? '') || undefined,
      NonRecursive: bound.nonRecursive || undefined,
      ReadOnlyNonRecursive: bound.readOnlyNonRecursive,
      ReadOnlyForceRecursive: bound.readOnlyForceRecursive,
    },
    VolumeOptions: kept && {
      NoCopy: kept.noCopy || undefined,
      Labels: Object.keys(kept.labels).length === 0 ? undefined : kept.labels,
      DriverConfig: { Name: kept.driver || undefined, Options: kept.options },
      Subpath: kept.subpath || undefined,
    },
    ImageOptions: draft.image && { Subpath: draft.image.subpath || undefined },
    TmpfsOptions: memory && {
      SizeBytes: memory.sizeBytes || undefined,
      Mode: memory.mode || undefined,
    },
  };
}

function propagation(text: string): Propagation {
  const known = PROPAGATIONS.find((each) => each === text);
  if (known !== undefined) return known;
  throw new RangeError(`invalid mount config for type "bind": invalid propagation mode: ${text}`);
}
