/**
 * The engine that the boxes of a run of the tests have: `A3S_TEST_ENGINE`, QEMU where it says none.
 *
 * With `krun` a library with libkrun's ABI takes the place of libkrun, and boots the described
 * microVM in QEMU. Every server of the run gets that by its environment, as from a user.
 *
 * @module
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TestLibraries } from '../../../native/krun/src/testing/test-library.ts';
import { CONTROL_PORT } from '../../../src/engine/control-port-name.ts';
import { ENGINE_NAMES, type EngineName } from '../../../src/engine/engine-name.ts';
import { scaled } from '../time-scale.ts';

const VARIABLE = 'A3S_TEST_ENGINE';
/** A guest that is emulated on a busy host takes some seconds to come up, and more at times. */
const PROBE_SECONDS = 120;

export const ENGINE: EngineName = readEngine(process.env[VARIABLE]);

function readEngine(named: string | undefined): EngineName {
  const found = ENGINE_NAMES.find((name) => name === (named ?? 'qemu'));
  if (found === undefined) throw new Error(`${VARIABLE} is ${named}: ${ENGINE_NAMES.join(', ')}`);
  return found;
}

const libraryIn = (installation: string): string => join(installation, 'libkrun.so.1');
/** What the first server of a run found out by booting a guest. */
const verdictIn = (installation: string): string => join(installation, 'krun-probe.json');
const verdictOf = (home: string): string => join(home, 'krun', 'probe.json');

/** Compiles what an engine needs into the installation of a run. */
export function installEngine(installation: string, engine = ENGINE): void {
  if (engine !== 'krun' || existsSync(libraryIn(installation))) return;
  using libraries = new TestLibraries();
  const built = libraries.build({
    vhostUser: true,
    defaults: { run: 'boot', serialName: CONTROL_PORT },
  });
  copyFileSync(built, libraryIn(installation));
  chmodSync(libraryIn(installation), 0o755);
}

/** What has a server use an engine. */
export function engineSettings(
  installation: string,
  engine = ENGINE,
): Readonly<Record<string, string>> {
  if (engine !== 'krun') return {};
  return {
    A3S_ENGINE: engine,
    A3S_KRUN_LIBRARY: libraryIn(installation),
    A3S_KVM_TIMEOUT: String(scaled(PROBE_SECONDS)),
  };
}

/** Keeps for the other homes of the run what the server of this one found. */
export function keepVerdict(installation: string, home: string): void {
  if (ENGINE === 'krun') copyFileSync(verdictOf(home), verdictIn(installation));
}

/** @returns what was made in a new home, which has no owner yet */
export function giveVerdict(installation: string, home: string): readonly string[] {
  const verdict = verdictOf(home);
  if (ENGINE !== 'krun' || !existsSync(verdictIn(installation))) return [];
  mkdirSync(dirname(verdict), { mode: 0o700 });
  copyFileSync(verdictIn(installation), verdict);
  return [dirname(verdict), verdict];
}

/** Whether a command line is that of a virtual machine monitor, and not of the jail around one. */
export function isVmm(commandLine: string): boolean {
  if (ENGINE === 'qemu') return commandLine.startsWith('/usr/bin/qemu-system');
  return commandLine.startsWith(process.execPath) && commandLine.includes('krun-shim');
}
