import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const STEPS = join(import.meta.dirname, '../setup-steps.sh');
const UNITS = ['docker.socket', 'docker.service', 'containerd.service', 'postgresql.service'];
const PACKAGES = {
  'docker.io': UNITS.slice(0, 2),
  containerd: UNITS.slice(2, 3),
  'postgresql-common': UNITS.slice(3),
};
/**
 * The real programs that the steps need. The others are fakes, so an installed Docker does not
 * matter.
 */
const TOOLS =
  'bash cat comm dirname flock grep mkdir mv node readlink rm sed sort tail touch uname'.split(' ');

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-setup-'));
  for (const name of ['bin', 'systemd', 'units', 'etc', 'init.d', 'status', 'build/setup']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  for (const name of TOOLS) {
    const [path = ''] = execFileSync('which', [name], { encoding: 'utf8' }).split('\n');
    symlinkSync(path, join(directory, 'bin', name));
  }
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(path: string, text = ''): void {
  writeFileSync(join(directory, path), text);
}

/** Shell code of the fake apt: creates the units of the packages, and sets their dpkg status. */
function unpacked(status: string): string {
  return Object.entries(PACKAGES)
    .flatMap(([name, units]) => [
      `printf ${status} > ${directory}/status/${name}`,
      ...units.map((unit) => `: > ${directory}/units/${unit}`),
    ])
    .join('\n');
}

function program(name: string, script = ''): void {
  const path = join(directory, 'bin', name);
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> ${directory}/log\n${script}\n`);
  chmodSync(path, 0o755);
}

interface Outcome {
  readonly status: number | null;
  readonly calls: readonly string[];
}

/** Runs steps of the setup with fake programs that record how they were called. */
function install(apt = unpacked('installed'), steps = 'install_packages'): Outcome {
  rmSync(join(directory, 'log'), { force: true });
  file('log');
  program('apt-get', `[ "$1" = update ] && exit\n${apt}`);
  for (const name of ['dpkg', 'systemctl', 'invoke-rc.d', 'update-rc.d']) program(name);
  program('deb-systemd-helper', '[ -n "$DPKG_MAINTSCRIPT_PACKAGE" ]');
  program('id', 'echo 0');
  program(
    'dpkg-query',
    `for last; do :; done; case "$last" in -f*) ;; *) cat "${directory}/status/$last" ;; esac`,
  );
  const script = `set -euo pipefail; . ${STEPS}; with_tests=yes
RUNNING_SYSTEMD=${directory}/systemd UNITS=${directory}/units
OTHER_UNITS=(${directory}/etc) INIT_SCRIPTS=${directory}/init.d
${steps}`;
  const { status } = spawnSync('bash', ['-c', script], {
    cwd: directory,
    env: { PATH: `${directory}/bin` },
    stdio: 'ignore',
    timeout: 20_000,
  });
  const calls = readFileSync(join(directory, 'log'), 'utf8')
    .split('\n')
    .filter((line) => /^(apt-get install|systemctl|deb-systemd-helper|dpkg )/.test(line));
  return { status, calls };
}

const MASKED = `systemctl --quiet --runtime mask ${UNITS.join(' ')}`;
const UNMASKED = UNITS.map((unit) => `systemctl --quiet --runtime unmask ${unit}`);
const RELEASED = UNITS.flatMap((unit, index) => [
  UNMASKED[index],
  `deb-systemd-helper disable ${unit}`,
]);

function isHeld(): boolean {
  return existsSync(join(directory, 'build/setup/held-services'));
}

it('installs docker.io with its services masked, and leaves them disabled', () => {
  const { status, calls } = install();
  expect(status).toBe(0);
  expect(calls).toEqual([
    MASKED,
    'dpkg --configure -a',
    expect.stringMatching(/^apt-get install .*--no-remove .*docker-cli .*docker\.io .*runc /),
    ...RELEASED,
  ]);
  expect(isHeld()).toBe(false);
});

it('leaves the services of packages alone that are installed already', () => {
  file('status/containerd', 'installed');
  expect(install().calls.join(' ')).not.toContain('containerd.service');
  file('status/docker.io', 'installed');
  file('status/postgresql-common', 'installed');
  expect(install().calls.join(' ')).not.toMatch(/systemctl|deb-systemd-helper/);
});

it.each(['units', 'etc'])('leaves services alone whose units others have put into %s', (place) => {
  for (const unit of UNITS) file(`${place}/${unit}`);
  expect(install('exit 1')).toMatchObject({
    status: 1,
    calls: ['dpkg --configure -a', expect.stringContaining('apt-get install')],
  });
  expect(install().calls.join(' ')).not.toMatch(/systemctl|deb-systemd-helper/);
});

it('leaves a service alone whose init script others have installed', () => {
  file('init.d/docker');
  expect(install().calls.join(' ')).not.toMatch(/docker\.(socket|service)/);
});

it('installs no docker.io beside another dockerd', () => {
  for (const name of ['dockerd', 'docker', 'runc']) program(name);
  const { status, calls } = install();
  expect(status).toBe(0);
  expect(calls.join(' ')).toMatch(/apt-get install .* podman /);
  expect(calls.join(' ')).not.toMatch(/docker\.io|docker-cli| runc/);
});

it('unmasks the services when the installation fails, and disables nothing', () => {
  const { status, calls } = install('exit 1');
  expect(status).toBe(1);
  expect(calls.slice(-UNITS.length)).toEqual(UNMASKED);
  expect(isHeld()).toBe(false);
});

it('unmasks the services when it is interrupted, and masks them for the rest of the installation', () => {
  const cut = install(`${unpacked('unpacked')}\nkill -TERM $PPID`, 'lock_setup; install_packages');
  expect(cut.status).toBe(130);
  expect(cut.calls.slice(-RELEASED.length)).toEqual(RELEASED);
  expect(isHeld()).toBe(false);
  program('dockerd');
  const { status, calls } = install();
  expect(status).toBe(0);
  expect(calls[0]).toBe(MASKED);
  expect(calls[2]).toContain(' docker.io ');
  expect(calls.slice(-RELEASED.length)).toEqual(RELEASED);
  // After a complete run, setup no longer changes the services.
  expect(install().calls.join(' ')).not.toMatch(/systemctl|deb-systemd-helper/);
});

it('unmasks the services that a killed run has left masked', () => {
  expect(install('kill -KILL $PPID').status).toBe(null);
  expect(isHeld()).toBe(true);
  // Meanwhile the user has installed another Docker.
  for (const unit of UNITS) file(`units/${unit}`);
  const { status, calls } = install('', 'lock_setup; finish_setup');
  expect(status).toBe(0);
  expect(calls).toEqual(UNMASKED);
  expect(isHeld()).toBe(false);
});
