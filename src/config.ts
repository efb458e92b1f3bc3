/**
 * The settings of this installation, derived once from the environment. Nothing else reads `A3S_…`.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { A3sError } from './errors.ts';
import type { LeastJail } from './jail/jail.ts';

export interface Config {
  /** State: database, images, boxes. `A3S_HOME`. */
  readonly home: string;
  /** The directory of sockets. Its path is short, since a socket's path is limited to 107 bytes. */
  readonly runtimeDir: string;
  /** The control server's socket. */
  readonly socket: string;
  /** The boot set that came with this installation: kernel, initrd, `boot.json`. `A3S_BOOT`. */
  readonly bootDir: string;
  /**
   * The least jail that programs start with: none at all where the host offers none
   * (`A3S_ALLOW_WEAK_JAIL=1`), everything that this user can have (`A3S_JAIL=require`), or else one
   * of its two features.
   */
  readonly leastJail: LeastJail;
  /**
   * How long a guest may take until its agent answers, in milliseconds. `A3S_START_TIMEOUT`, in
   * seconds.
   */
  readonly startTimeoutMs: number;
  /**
   * How long the probe of KVM waits for its guest at first, in milliseconds. `A3S_KVM_TIMEOUT`, in
   * seconds.
   */
  readonly kvmTimeoutMs: number;
  /**
   * The engine of new boxes for which none is named; undefined: it is chosen automatically.
   * `A3S_ENGINE`.
   */
  readonly engine: (typeof ENGINES)[number] | undefined;
  /** The path of libkrun, where it is not where it is looked for. `A3S_KRUN_LIBRARY`. */
  readonly krunLibrary: string | undefined;
  readonly templates: TemplatesConfig;
  readonly builder: BuilderConfig;
}

export interface BuilderConfig {
  /** The image of builders that came with this installation. */
  readonly directory: string;
  /**
   * How long a builder stays up that nobody uses, in milliseconds. `A3S_BUILDER_IDLE`, in seconds.
   */
  readonly idleMs: number;
  /**
   * Whether the next start of a builder goes on from a memory snapshot. `A3S_BUILDER_SNAPSHOT=off`
   * makes every one boot.
   */
  readonly snapshots: boolean;
}

export interface TemplatesConfig {
  /** Whether VMs start from templates. `A3S_TEMPLATES=off` makes every one boot. */
  readonly enabled: boolean;
  /** How many templates are kept. `A3S_TEMPLATES_MAX`. */
  readonly max: number;
  /**
   * The maximum age of a template that VMs start from, in milliseconds. `A3S_TEMPLATE_MAX_AGE`, in
   * seconds.
   */
  readonly maxAgeMs: number;
}

/** By their names, as `EngineName` has them. */
const ENGINES = ['qemu', 'krun'] as const;
/** Enough for a boot under emulation on a busy host. */
const START_TIMEOUT_SECONDS = 120;
const LONGEST_START_TIMEOUT_SECONDS = 3600;
/** Many times the time that a host with hardware virtualization takes. */
const KVM_TIMEOUT_SECONDS = 10;
const LONGEST_KVM_TIMEOUT_SECONDS = 600;
const TEMPLATES_MAX = 8;
const MOST_TEMPLATES = 64;
const TEMPLATE_MAX_AGE_SECONDS = 24 * 3600;
const BUILDER_IDLE_SECONDS = 600;
const LONGEST_BUILDER_IDLE_SECONDS = 24 * 3600;
const LONGEST_TEMPLATE_MAX_AGE_SECONDS = 7 * 24 * 3600;

/**
 * @param env the process environment
 * @param uid the user that runs this process
 * @param installDir the directory of the bundle; the boot set lies beside it
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
  installDir: string,
): Config {
  const usualHome = resolve(defaultHome(env, uid));
  const home = resolve(nonEmpty(env['A3S_HOME']) ?? usualHome);
  const root = runtimeRoot(env, uid);
  const runtimeDir = join(root, fingerprint(home));
  return {
    home,
    runtimeDir,
    // The usual home's runtime directory has a fixed name, so that a socket unit can be written
    // without knowing the user.
    socket: join(home === usualHome ? root : runtimeDir, 'server.sock'),
    bootDir: nonEmpty(env['A3S_BOOT']) ?? join(installDir, 'boot'),
    leastJail: readLeastJail(env),
    startTimeoutMs:
      1000 *
      wholeNumber(env, 'A3S_START_TIMEOUT', {
        ...{ otherwise: START_TIMEOUT_SECONDS, most: LONGEST_START_TIMEOUT_SECONDS },
        unit: 'whole seconds',
      }),
    kvmTimeoutMs:
      1000 *
      wholeNumber(env, 'A3S_KVM_TIMEOUT', {
        ...{ otherwise: KVM_TIMEOUT_SECONDS, most: LONGEST_KVM_TIMEOUT_SECONDS },
        unit: 'whole seconds',
      }),
    engine: oneOf(env, 'A3S_ENGINE', ENGINES),
    krunLibrary: nonEmpty(env['A3S_KRUN_LIBRARY']),
    templates: readTemplates(env),
    builder: {
      directory: join(installDir, 'builder'),
      idleMs:
        1000 *
        wholeNumber(env, 'A3S_BUILDER_IDLE', {
          ...{ otherwise: BUILDER_IDLE_SECONDS, most: LONGEST_BUILDER_IDLE_SECONDS },
          unit: 'whole seconds',
        }),
      snapshots: isOn(env, 'A3S_BUILDER_SNAPSHOT'),
    },
  };
}

function readLeastJail(env: Readonly<Record<string, string | undefined>>): LeastJail {
  const weak = env['A3S_ALLOW_WEAK_JAIL'] === '1';
  if (oneOf(env, 'A3S_JAIL', ['require']) === undefined) return weak ? 'none' : 'one-feature';
  if (!weak) return 'all-features';
  throw new A3sError(
    'invalid-argument',
    'Cannot use A3S_JAIL=require: A3S_ALLOW_WEAK_JAIL=1 accepts what it refuses',
    { remedy: 'Set one of them.' },
  );
}

/** Undefined where the variable is not set. */
function oneOf<T extends string>(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  values: readonly T[],
): T | undefined {
  const text = nonEmpty(env[name]);
  const found = values.find((value) => value === text);
  if (text === undefined || found !== undefined) return found;
  throw new A3sError(
    'invalid-argument',
    `Cannot use ${name}=${text}: it takes ${values.join(' or ')}`,
  );
}

/** On where the variable is not set. */
function isOn(env: Readonly<Record<string, string | undefined>>, name: string): boolean {
  const switched = nonEmpty(env[name]);
  if (switched !== undefined && switched !== 'off' && switched !== 'on') {
    throw new A3sError('invalid-argument', `Cannot use ${name}=${switched}: it takes on or off`);
  }
  return switched !== 'off';
}

function readTemplates(env: Readonly<Record<string, string | undefined>>): TemplatesConfig {
  return {
    enabled: isOn(env, 'A3S_TEMPLATES'),
    max: wholeNumber(env, 'A3S_TEMPLATES_MAX', {
      ...{ otherwise: TEMPLATES_MAX, most: MOST_TEMPLATES },
      unit: 'templates',
    }),
    maxAgeMs:
      1000 *
      wholeNumber(env, 'A3S_TEMPLATE_MAX_AGE', {
        ...{ otherwise: TEMPLATE_MAX_AGE_SECONDS, most: LONGEST_TEMPLATE_MAX_AGE_SECONDS },
        unit: 'whole seconds',
      }),
  };
}

/**
 * The descriptor on which the process that started this server waits for its report; undefined
 * where none waits. `A3S_READY_FD`, which the starting program sets and people do not.
 */
export function readyDescriptor(
  env: Readonly<Record<string, string | undefined>>,
): number | undefined {
  const text = env['A3S_READY_FD'];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** A variable whose value is an integer from 1 to `most`. */
function wholeNumber(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  range: { readonly otherwise: number; readonly most: number; readonly unit: string },
): number {
  const text = nonEmpty(env[name]);
  if (text === undefined) return range.otherwise;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= range.most) return value;
  throw new A3sError(
    'invalid-argument',
    `Cannot use ${name}=${text}: it takes 1 to ${range.most} ${range.unit}`,
  );
}

function defaultHome(env: Readonly<Record<string, string | undefined>>, uid: number): string {
  if (uid === 0) return '/var/lib/a3s-box';
  return join(nonEmpty(env['XDG_DATA_HOME']) ?? join(homedir(), '.local/share'), 'a3s-box');
}

function runtimeRoot(env: Readonly<Record<string, string | undefined>>, uid: number): string {
  if (uid === 0) return '/run/a3s-box';
  const dir = nonEmpty(env['XDG_RUNTIME_DIR']);
  return dir === undefined ? `/tmp/a3s-box-${uid}` : join(dir, 'a3s-box');
}

/** Each home gets its own runtime directory with a short name. */
function fingerprint(home: string): string {
  return createHash('sha256').update(home).digest('hex').slice(0, 8);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
