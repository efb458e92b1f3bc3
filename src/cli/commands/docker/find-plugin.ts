import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { A3sError } from '../../../errors.ts';

/** Where Docker's command line looks for its plugins, after the user's own. */
const PLUGINS = [
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
];

/** A program that is a plugin of Docker's command line, and runs by itself too. */
export interface Plugin {
  readonly program: string;
  /** As users call it. */
  readonly name: string;
  /** What to install. */
  readonly remedy: string;
}

export const COMPOSE: Plugin = {
  ...{ program: 'docker-compose', name: 'docker compose' },
  remedy:
    "Install Debian's package docker-compose, or Docker's docker-compose-plugin, version 2 or later.",
};

export const BUILDX: Plugin = {
  ...{ program: 'docker-buildx', name: 'docker buildx' },
  remedy: "Install Debian's package docker-buildx, or Docker's docker-buildx-plugin.",
};

/**
 * The path of the program: on the PATH, or among the plugins.
 *
 * @param plugins the directories of plugins that all users share
 * @throws A3sError `tool-missing`
 */
export function findPlugin(
  { program, name, remedy }: Plugin,
  env: Readonly<Record<string, string | undefined>>,
  plugins: readonly string[] = PLUGINS,
): string {
  // What lies in the working directory is not taken for a program.
  const path = (env['PATH'] ?? '').split(':').filter(isAbsolute);
  const found = [...path, ...ownPlugins(env), ...plugins]
    .map((directory) => join(directory, program))
    .find(isProgram);
  if (found !== undefined) return found;
  throw new A3sError('tool-missing', `Cannot run ${name}: it is not installed`, { remedy });
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
