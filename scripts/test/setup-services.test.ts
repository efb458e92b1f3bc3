import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const STEPS = join(import.meta.dirname, '../setup-steps.sh');
const UNITS = ['docker.socket', 'docker.service', 'containerd.service'];

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-setup-'));
  for (const name of ['bin', 'systemd', 'units', 'build/setup']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  for (const unit of UNITS) writeFileSync(join(directory, 'units', unit), '');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs `install_packages` with programs that write down how they were called, and returns that. */
function install(installed: string, apt = 0): readonly string[] {
  const log = join(directory, 'log');
  rmSync(log, { force: true });
  const program = (name: string, script: string): void => {
    const path = join(directory, 'bin', name);
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> ${log}\n${script}\n`);
    chmodSync(path, 0o755);
  };
  program('apt-get', `[ "$1" = update ] || exit ${apt}`);
  program('dpkg', '');
  program('systemctl', '');
  program('deb-systemd-helper', '');
  program('invoke-rc.d', '');
  program('update-rc.d', '');
  program('id', 'echo 0');
  program('dpkg-query', `case "$*" in *" ${installed}") printf installed ;; esac`);
  const steps = `set -euo pipefail; . ${STEPS}; with_tests=yes
RUNNING_SYSTEMD=${directory}/systemd UNITS=${directory}/units
install_packages`;
  try {
    execFileSync('bash', ['-c', steps], {
      cwd: directory,
      env: { PATH: `${directory}/bin:${process.env['PATH']}` },
      stdio: 'ignore',
    });
  } catch (error) {
    if (apt === 0) throw error;
  }
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => /^(apt-get install|systemctl|deb-systemd-helper)/.test(line))
    .map((line) => line.replace(/^apt-get install.*/, 'apt-get install'));
}

it('installs docker.io with its services masked, and leaves them disabled', () => {
  expect(install('nothing')).toEqual([
    `systemctl --quiet --runtime mask ${UNITS.join(' ')}`,
    'apt-get install',
    ...UNITS.flatMap((unit) => [
      `systemctl --quiet --runtime unmask ${unit}`,
      `deb-systemd-helper disable ${unit}`,
    ]),
  ]);
});

it('leaves the services alone of what is installed already', () => {
  expect(install('containerd').join(' ')).not.toContain('containerd.service');
  expect(install('docker.io').join(' ')).not.toContain('disable docker.service');
});

it('unmasks them when the installation fails', () => {
  expect(install('nothing', 1)).toContain('systemctl --quiet --runtime unmask docker.service');
});

it('never removes a package to install its own', () => {
  install('nothing');
  expect(readFileSync(join(directory, 'log'), 'utf8')).toMatch(
    /apt-get install .*--no-remove .*docker\.io/,
  );
});
