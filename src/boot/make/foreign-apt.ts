/**
 * Asks apt for packages of an architecture that this machine does not have. The machine's own
 * configuration of apt stays as it is: `dpkg --add-architecture` would change what every later
 * installation may choose.
 *
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { runTool } from './tool.ts';

const UPDATE = 'Check the network and /etc/apt/sources.list.d.';

/** The variables by which apt and its tools read this configuration. */
export interface AptEnvironment {
  readonly APT_CONFIG: string;
}

/**
 * Reads the package lists of the machine's own sources for an architecture, verified by the same
 * keys.
 *
 * @param work an empty directory, for the configuration and the lists
 */
export async function foreignApt(work: string, architecture: string): Promise<AptEnvironment> {
  if (work.includes('"')) {
    throw new A3sError('internal', `Cannot configure apt in ${work}: its path has a quote`, {
      remedy: 'Clone the checkout to a directory without quotes in its name.',
    });
  }
  const status = join(work, 'status');
  const settings = [
    `APT::Architecture "${architecture}";`,
    `APT::Architectures { "${architecture}"; };`,
    `Dir::State::lists "${join(work, 'lists')}";`,
    // Nothing is installed in that architecture.
    `Dir::State::status "${status}";`,
    `Dir::Cache "${join(work, 'cache')}";`,
    'Acquire::Languages "none";',
    // apt's own unprivileged user cannot write here; what arrives is checked all the same.
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User "root";'] : []),
  ];
  await mkdir(join(work, 'lists', 'partial'), { recursive: true });
  await mkdir(join(work, 'cache', 'archives', 'partial'), { recursive: true });
  await writeFile(status, '');
  const file = join(work, 'apt.conf');
  await writeFile(file, `${settings.join('\n')}\n`);
  const env = { APT_CONFIG: file };
  await runTool('apt-get', ['-q', 'update', '--error-on=any'], { cwd: work, env, remedy: UPDATE });
  return env;
}
