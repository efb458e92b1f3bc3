import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { A3sError } from '../../../errors.ts';

const PROGRAM = 'docker-compose';

/** Where Docker's command line looks for its plugins, after the user's own. */
const PLUGINS = [
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
];

/**
 * The path of `docker-compose`: on the PATH, or a plugin of Docker's command line, which is the
 * same program.
 *
 * @param plugins the directories of plugins that all users share
 * @throws A3sError `tool-missing`
 */
export function findCompose(
  env: Readonly<Record<string, string | undefined>>,
  plugins: readonly string[] = PLUGINS,
): string {
  // What lies in the working directory is not taken for a program.
  const path = (env['PATH'] ?? '').split(':').filter(isAbsolute);
  const found = [...path, ...ownPlugins(env), ...plugins]
    .map((directory) => join(directory, PROGRAM))
    .find(isProgram);
  if (found !== undefined) return found;
  throw new A3sError('tool-missing', 'Cannot run docker compose: it is not installed', {
    remedy:
      "Install Debian's package docker-compose, or Docker's docker-compose-plugin, version 2 or later.",
  });
}

function ownPlugins({
  DOCKER_CONFIG,
  HOME,
}: Readonly<Record<string, string | undefined>>): string[] {
  if (DOCKER_CONFIG) return [join(DOCKER_CONFIG, 'cli-plugins')];
  return HOME ? [join(HOME, '.docker/cli-plugins')] : [];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
