/**
 * Creating a box: everything is checked, then one record and one directory are made.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { A3sError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import type { Bind, Box, BoxDefinition, Port } from './box.ts';
import { checkSpec } from './check-spec.ts';
import { now, timestamp } from './clock.ts';
import { mergeEnvironment } from './environment.ts';
import { checkName, inventName } from './name.ts';
import { pinnedImage } from './pinned-image.ts';
import { checkResources } from './resources.ts';
import { boxDirectory, publish, type Runtime } from './runtime.ts';
import { parseSignal } from './signal.ts';
import { nameInUse } from './store.ts';
import { takenUids } from './taken-uids.ts';
import { authorizeImage, type TrustOptions } from './trust.ts';
import { namesUsed } from './trust-names.ts';
import { trustAttributes, trustRecord } from './trust-record.ts';

/** What the caller asks for. What is undefined comes from the image, or from a default. */
export interface CreateRequest {
  readonly name: string | undefined;
  readonly image: string;
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  readonly env: readonly string[];
  readonly cwd: string | undefined;
  readonly user: string | undefined;
  readonly hostname: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly terminal: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly attach: BoxDefinition['attach'];
  readonly size: BoxDefinition['size'];
  readonly stopSignal: string | undefined;
  readonly stopTimeout: number | undefined;
  readonly autoRemove: boolean;
  readonly memoryBytes: number;
  readonly nanoCpus: number;
  readonly network: BoxDefinition['network'];
  readonly ports: readonly Port[];
  readonly exposedPorts: readonly string[];
  readonly binds: readonly Bind[];
}

const DEFAULT_STOP_SIGNAL = 'SIGTERM';

/** @throws A3sError for whatever does not fit, an image that is refused too, before anything is changed */
export async function createBox(
  rt: Runtime,
  request: CreateRequest,
  options: TrustOptions = {},
): Promise<Box> {
  const name = request.name === undefined ? undefined : checkName(request.name);
  const holder = name === undefined ? undefined : rt.store.byName(name);
  if (name !== undefined && holder !== undefined) throw nameInUse(name, holder.definition.id);
  checkResources(request, rt.host);
  checkDestinations(request.binds);
  const image = await rt.images.resolve(request.image);
  const names = namesUsed(request.image, image);
  const trust = trustRecord(
    await authorizeImage(rt, { image, reference: request.image, names }, options),
  );
  const command = mergeCommand(request, image);
  if (command.entrypoint.length + command.cmd.length === 0) {
    throw new A3sError('invalid-argument', 'No command specified', {
      remedy: 'Name a command after the image.',
    });
  }
  const stopSignal = parseSignal(
    request.stopSignal ?? image.config.stopSignal ?? DEFAULT_STOP_SIGNAL,
  );
  const bootSet = await rt.boot.current();
  const id = randomBytes(32).toString('hex');
  // From here to the record nothing waits, so that no identity and no name is given twice.
  const taken = takenUids(rt);
  const definition: BoxDefinition = {
    ...{ id, createdAt: timestamp(now()), bootSet, identity: rt.identityFor(taken) },
    image: {
      reference: request.image,
      id: image.id,
      manifestDigest: image.manifestDigest,
      names: [...names],
    },
    trust,
    ...command,
    env: mergeEnvironment(request.env, image.config.env),
    cwd: directory(request.cwd ?? image.config.workingDir),
    user: request.user ?? image.config.user,
    ...pick(request),
    hostname: request.hostname ?? id.slice(0, 12),
    labels: { ...image.config.labels, ...request.labels },
    stopSignal,
    ports: [...request.ports],
    exposedPorts: [...new Set([...request.exposedPorts, ...image.config.exposedPorts])],
    binds: [...request.binds],
    volumes: [...image.config.volumes],
  };
  checkSpec(definition, image.config);
  const box = rt.store.insert(
    definition,
    name ?? inventName((n) => rt.store.byName(n) !== undefined),
  );
  try {
    await mkdir(boxDirectory(rt, id), { mode: 0o711 });
    // It could be removed, or replaced, until the record held it.
    await pinnedImage(rt, definition);
  } catch (error) {
    await rm(boxDirectory(rt, id), { recursive: true, force: true });
    rt.store.remove(id);
    throw error;
  }
  publish(rt, box, 'create', trustAttributes(trust));
  return box;
}

function pick(request: CreateRequest) {
  const { terminal, openStdin, stdinOnce, attach, size, stopTimeout } = request;
  const { autoRemove, memoryBytes, nanoCpus, network } = request;
  return {
    ...{ terminal, openStdin, stdinOnce, attach },
    ...(size === undefined ? {} : { size }),
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    ...{ autoRemove, memoryBytes, nanoCpus, network },
  };
}

/**
 * A given entrypoint drops the image's command as well; `[""]` clears the entrypoint. This is Docker's rule, and
 * it does not depend on whether the box has a terminal.
 */
export function mergeCommand(
  request: Pick<CreateRequest, 'entrypoint' | 'cmd'>,
  image: Pick<Image, 'config'>,
): { entrypoint: string[]; cmd: string[] } {
  const { config } = image;
  const given = request.entrypoint;
  const cleared = given?.length === 1 && given[0] === '';
  const entrypoint = cleared ? [] : (given ?? config.entrypoint);
  const ownCommand = request.cmd !== undefined && request.cmd.length > 0;
  const cmd = ownCommand ? request.cmd : (given ?? []).length === 0 ? config.cmd : [];
  return { entrypoint: [...entrypoint], cmd: [...(cmd ?? [])] };
}

/** OCI working directories may be relative to the root. */
function directory(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function checkDestinations(binds: readonly Bind[]): void {
  const seen = new Set<string>();
  for (const { destination } of binds) {
    if (seen.has(destination)) {
      throw new A3sError('invalid-argument', `Duplicate mount point: ${destination}`);
    }
    seen.add(destination);
  }
}
