/**
 * The configuration of an image that is made of a box.
 *
 * @module
 */
import type { Image } from '../../images/image.ts';
import { applyChanges, type ProcessConfig } from '../../images/import/changes.ts';
import type { BoxDefinition } from '../record/box.ts';

/** Parts of an image's configuration; an absent one is empty. */
export type Config = Partial<ProcessConfig>;

/**
 * The box's own configuration, or the one that was given, with the changes applied. As in Docker,
 * what is empty then is taken from the box.
 *
 * @param given in place of the box's configuration; the changes know its variables alone
 * @throws A3sError `invalid-argument` for a change that cannot be read
 */
export function committedConfig(
  definition: BoxDefinition,
  image: Pick<Image, 'config'>,
  changes: readonly string[],
  given?: Config,
): Config {
  const own = ownConfig(definition, image);
  const changed = applyChanges(changes, given ?? own);
  return applyChanges([], {
    ...own,
    ...changed,
    ...commandOf(changed, own, given),
    ...{ Env: [...withoutNames(own.Env ?? [], changed.Env ?? []), ...(changed.Env ?? [])] },
    ...{ Labels: { ...own.Labels, ...changed.Labels } },
    ...{ ExposedPorts: { ...own.ExposedPorts, ...changed.ExposedPorts } },
    ...{ Volumes: { ...own.Volumes, ...changed.Volumes } },
  });
}

/** What `inspect` shows of the box, without what only a box has. */
function ownConfig(definition: BoxDefinition, image: Pick<Image, 'config'>): Config {
  const { entrypoint, cmd, env, cwd, user, labels, stopSignal } = definition;
  const healthcheck = definition.health?.asked ?? definition.inertHealth;
  const shell = definition.shell ?? image.config.shell;
  return {
    ...{ Entrypoint: entrypoint, Cmd: cmd, WorkingDir: cwd, User: user, Labels: labels },
    // One without `=` removes a variable of the image.
    Env: env.filter((entry) => entry.includes('=')),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ExposedPorts: setOf(definition.exposedPorts),
    Volumes: setOf(definition.volumes),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    ...(shell === undefined ? {} : { Shell: shell }),
    ...(definition.onBuild === undefined ? {} : { OnBuild: definition.onBuild }),
  };
}

function setOf(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** An entrypoint stands with its own arguments. Without both, the arguments are the box's. */
function commandOf(changed: Config, own: Config, given: Config | undefined) {
  const { Entrypoint: entrypoint = [], Cmd: cmd = [] } = changed;
  if (entrypoint.length > 0) return { Entrypoint: entrypoint, Cmd: cmd };
  const inherits = given !== undefined && given.Entrypoint === undefined;
  return {
    Entrypoint: inherits ? (own.Entrypoint ?? []) : [],
    Cmd: cmd.length > 0 ? cmd : (own.Cmd ?? []),
  };
}

/** The entries of the variables that the others do not set. */
function withoutNames(entries: readonly string[], others: readonly string[]): readonly string[] {
  const names = new Set(others.map(nameOf));
  return entries.filter((entry) => !names.has(nameOf(entry)));
}

function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf('='));
}
