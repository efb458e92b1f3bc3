/**
 * Where this installation keeps its things, derived once from the environment. Nothing else reads `A3S_…`.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { A3sError } from './errors.ts';

export interface Config {
  /** State: database, images, boxes. `A3S_HOME`. */
  readonly home: string;
  /** Sockets; short, since a socket's path is bounded to 107 bytes. */
  readonly runtimeDir: string;
  /** The control server's socket. */
  readonly socket: string;
  /** The boot set that came with this installation: kernel, initrd, `boot.json`. `A3S_BOOT`. */
  readonly bootDir: string;
  /** Programs may start without a jail around them, where the host offers none. `A3S_ALLOW_WEAK_JAIL=1`. */
  readonly allowWeakJail: boolean;
  /** How long a guest may take until its agent answers, in milliseconds. `A3S_START_TIMEOUT`, in seconds. */
  readonly startTimeoutMs: number;
  /** How long the probe of KVM waits for its guest at first, in milliseconds. `A3S_KVM_TIMEOUT`, in seconds. */
  readonly kvmTimeoutMs: number;
  readonly templates: TemplatesConfig;
}

export interface TemplatesConfig {
  /** Machines start from templates. `A3S_TEMPLATES=off` has every one boot. */
  readonly enabled: boolean;
  /** How many are kept. `A3S_TEMPLATES_MAX`. */
  readonly max: number;
  /** How old one may be that machines still start from, in milliseconds. `A3S_TEMPLATE_MAX_AGE`, in seconds. */
  readonly maxAgeMs: number;
}

/** Enough for a boot under emulation on a busy host. */
const START_TIMEOUT_SECONDS = 120;
const LONGEST_START_TIMEOUT_SECONDS = 3600;
/** Many times what a host with hardware virtualization takes. */
const KVM_TIMEOUT_SECONDS = 10;
const LONGEST_KVM_TIMEOUT_SECONDS = 600;
const TEMPLATES_MAX = 8;
const MOST_TEMPLATES = 64;
const TEMPLATE_MAX_AGE_SECONDS = 24 * 3600;
const LONGEST_TEMPLATE_MAX_AGE_SECONDS = 7 * 24 * 3600;

/**
 * @param env the process environment
 * @param uid the user that runs this
 * @param installDir where the bundle lies; the boot set lies beside it
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
    // The usual home's has a name that a socket unit can be written for, without knowing whose home it is.
    socket: join(home === usualHome ? root : runtimeDir, 'server.sock'),
    bootDir: nonEmpty(env['A3S_BOOT']) ?? join(installDir, 'boot'),
    allowWeakJail: env['A3S_ALLOW_WEAK_JAIL'] === '1',
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
    templates: readTemplates(env),
  };
}

function readTemplates(env: Readonly<Record<string, string | undefined>>): TemplatesConfig {
  const switched = nonEmpty(env['A3S_TEMPLATES']);
  if (switched !== undefined && switched !== 'off' && switched !== 'on') {
    throw new A3sError(
      'invalid-argument',
      `Cannot use A3S_TEMPLATES=${switched}: it takes on or off`,
    );
  }
  return {
    enabled: switched !== 'off',
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
 * The descriptor on which whoever started this server waits for word of it; undefined where nobody does.
 * `A3S_READY_FD`, set by the one program for the other and not by people.
 */
export function readyDescriptor(
  env: Readonly<Record<string, string | undefined>>,
): number | undefined {
  const text = env['A3S_READY_FD'];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** One variable that takes 1 to `most`. */
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

/** Homes get distinct runtime directories whose names stay short. */
function fingerprint(home: string): string {
  return createHash('sha256').update(home).digest('hex').slice(0, 8);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
