/**
 * Finds out which features a jail can have, by building one.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type BuiltFeatures, type JailHost, jailCommand, jailEnvironment } from './arguments.ts';
import { CONVERTER_IDENTITY } from './identity.ts';
import type { JailFeatures, JailProgram } from './jail.ts';

/** What the host has; the rest is the user's choice. */
export type HostFeatures = Omit<JailFeatures, 'weakAccepted' | 'allRequired'>;

const DEADLINE_MS = 10_000;
const ID_MAP = '/proc/self/uid_map';

/** Runs `true` in a jail with every feature. A feature that fails is left out, with the reason. */
export async function probeFeatures(host: JailHost): Promise<HostFeatures> {
  const identity = process.geteuid?.() === 0 && hasIds(await readFile(ID_MAP, 'utf8'));
  const program: JailProgram = {
    path: '/usr/bin/true',
    args: [],
    identity: CONVERTER_IDENTITY,
    stdio: [],
    writable: [],
    readable: [],
    network: false,
    // It ends by itself. Were bwrap killed with this process, its child could be left behind: until
    // bwrap has mapped its ids it waits for that, and nothing would end it.
    outlives: true,
    limits: { openFiles: 64 },
  };
  const builds = (features: BuiltFeatures): Promise<string | undefined> =>
    failure(jailCommand(host, features, program), jailEnvironment(program));
  const [namespaces, landlock] = await Promise.all([
    host.bwrap === undefined
      ? 'bwrap is missing (apt-get install bubblewrap)'
      : builds({ identity, namespaces: true, landlock: false }).then(named('user namespaces')),
    builds({ identity, namespaces: false, landlock: true }).then(named('Landlock')),
  ]);
  return {
    identity,
    ...{ namespaces: namespaces === undefined, reason: namespaces },
    ...{ landlock: landlock === undefined, landlockReason: landlock },
  };
}

function named(feature: string): (reason: string | undefined) => string | undefined {
  return (reason) => (reason === undefined ? undefined : `${feature}: ${reason}`);
}

/**
 * Whether the user namespace of this process, of which this is the map, has the ids of jails: the
 * root of a namespace that an ordinary user has made may have no other.
 */
export function hasIds(map: string): boolean {
  const { uid } = CONVERTER_IDENTITY;
  return map.split('\n').some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return first <= uid && uid < first + count;
  });
}

/** What a program says at the end, but for where its help is. */
function lastReason(said: string): string | undefined {
  const lines = said.trim().split('\n');
  return lines.findLast((line) => !line.startsWith('Try '));
}

function failure(
  [path, ...args]: readonly [string, ...string[]],
  env: Record<string, string>,
): Promise<string | undefined> {
  const options = { cwd: '/', env, timeout: DEADLINE_MS, maxBuffer: 64 * 1024 };
  return new Promise((resolve) => {
    execFile(path, args, options, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined);
      else resolve(lastReason(stderr) || error.message);
    });
  });
}
