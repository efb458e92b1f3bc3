/**
 * Merges a request with the configuration of its image. The host does not matter.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import type { BoxDefinition } from '../record/box.ts';
import { mergeEnvironment } from '../spec/environment.ts';
import { parseSignal } from '../spec/signal.ts';
import type { CreateRequest } from './create-request.ts';
import { inertHealth, mergeHealth } from './merge-health.ts';

/** @throws A3sError `invalid-argument` */
export function planBox(request: CreateRequest, image: Pick<Image, 'config'>) {
  const { config } = image;
  const command = mergeCommand(request, image);
  if (command.entrypoint.length + command.cmd.length === 0) {
    throw new A3sError('invalid-argument', 'No command specified', {
      remedy: 'Name a command after the image.',
    });
  }
  const signal = request.stopSignal ?? config.stopSignal;
  const shell = request.shell ?? config.shell;
  const health = mergeHealth(request.health, { healthcheck: config.healthcheck, shell });
  const inert = health === undefined ? inertHealth(request.health, config) : undefined;
  return {
    ...command,
    ...(health === undefined ? {} : { health }),
    ...(inert === undefined ? {} : { inertHealth: inert }),
    env: mergeEnvironment(request.env, config.env),
    cwd: directory(request.cwd ?? config.workingDir),
    user: request.user ?? config.user,
    ...pick(request),
    ...(signal === undefined ? {} : { stopSignal: parseSignal(signal) }),
  };
}

function pick(request: CreateRequest) {
  const { terminal, openStdin, stdinOnce, attach, size, stopTimeout } = request;
  const { autoRemove, memoryBytes, nanoCpus, network, names, egress } = request;
  const { limits, security, restart, init, logging, containerIdFile } = request;
  const { tmpfs, shmBytes, readonlyRootfs, storage } = request;
  const { ownLinkLocal } = request;
  const { mac, ownDriverOptions, links, networkDisabled, shell, onBuild, argsEscaped } = request;
  return {
    ...{ terminal, openStdin, stdinOnce, attach },
    ...(size === undefined ? {} : { size }),
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    ...(containerIdFile === undefined ? {} : { containerIdFile }),
    ...{ autoRemove, memoryBytes, nanoCpus, network, names },
    ...(egress === undefined ? {} : { egress }),
    ...{ limits, security, restart, init, logging },
    ...{ tmpfs: [...tmpfs], readonlyRootfs },
    ...(shmBytes === undefined ? {} : { shmBytes }),
    ...(storage === undefined ? {} : { storage }),
    ...(mac === undefined ? {} : { mac }),
    ...(ownDriverOptions === undefined ? {} : { ownDriverOptions: { ...ownDriverOptions } }),
    ...(ownLinkLocal === undefined ? {} : { ownLinkLocal: [...ownLinkLocal] }),
    ...(links === undefined ? {} : { links: [...links] }),
    ...(networkDisabled === undefined ? {} : { networkDisabled }),
    ...(shell === undefined ? {} : { shell: [...shell] }),
    ...(onBuild === undefined ? {} : { onBuild: [...onBuild] }),
    ...(argsEscaped === undefined ? {} : { argsEscaped }),
  };
}

/**
 * A given entrypoint drops the image's command as well; `[""]` clears the entrypoint. This is
 * Docker's rule, and it does not depend on whether the box has a terminal.
 */
export function mergeCommand(
  request: Pick<CreateRequest, 'entrypoint' | 'cmd'>,
  image: Pick<Image, 'config'>,
): Pick<BoxDefinition, 'entrypoint' | 'cmd'> {
  const { config } = image;
  const given = request.entrypoint;
  const cleared = given?.length === 1 && given[0] === '';
  const entrypoint = cleared ? [] : (given ?? config.entrypoint);
  const ownCommand = request.cmd !== undefined && request.cmd.length > 0;
  const cmd = ownCommand ? request.cmd : (given ?? []).length === 0 ? config.cmd : [];
  return { entrypoint: [...entrypoint], cmd: [...(cmd ?? [])] };
}

/** OCI working directories may be relative to the root. An empty path stays empty. */
function directory(path: string): string {
  return path === '' || path.startsWith('/') ? path : `/${path}`;
}
