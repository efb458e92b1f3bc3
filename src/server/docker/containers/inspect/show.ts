/**
 * A box in Docker's documents: what the list and the inspection share.
 *
 * @module
 */

import type { Box, BoxState, Port } from '../../../../boxes/record/box.ts';
import { RATLS_PORT } from '../../../../boxes/record/confidential-request.ts';
import { waitsForSecrets } from '../../../../boxes/record/tee-names.ts';
import type { DOCKER_STATUSES } from '../../../../docker-api/containers/container.ts';
import { healthText } from './show-health.ts';

export const ZERO_TIME = '0001-01-01T00:00:00Z';

export type DockerStatus = (typeof DOCKER_STATUSES)[number];

/**
 * The status of a box in Docker's words. A box that starts still has its earlier status; one that
 * its policy starts is restarting.
 */
export function dockerStatus(
  state: Pick<BoxState, 'status' | 'startedAt' | 'restartCount'>,
): DockerStatus {
  switch (state.status) {
    case 'starting':
      if (state.startedAt === undefined) return 'created';
      return state.restartCount > 0 ? 'restarting' : 'exited';
    case 'stopping':
      return 'running';
    default:
      return state.status;
  }
}

/** The STATUS of `ps`: `Up 3 minutes`, `Exited (0) 2 hours ago`, `Created`. */
export function statusText(box: Box, now: number): string {
  const { state } = box;
  switch (dockerStatus(state)) {
    case 'running':
      return `Up ${elapsed(state.startedAt, now)}${remark(box)}`;
    case 'exited':
      return `Exited (${state.exitCode}) ${elapsed(state.finishedAt, now)} ago`;
    case 'paused':
      return `Up ${elapsed(state.startedAt, now)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${elapsed(state.finishedAt, now)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'created':
      return 'Created';
  }
}

function remark(box: Box): string {
  if (waitsForSecrets(box)) return ' (waiting for secrets)';
  return healthText(box);
}

/** As the filter `health` names it. */
export function healthWord({ state }: Box): string {
  return state.health?.status ?? 'none';
}

/** Whether the box runs or is paused. */
export function hasVm({ state }: Box): boolean {
  const status = dockerStatus(state);
  return status === 'running' || status === 'paused';
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function elapsed(since: string | undefined, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since ?? ZERO_TIME)) / 1000));
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < MINUTE) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / MINUTE);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / HOUR);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / DAY / 365)} years`;
}

/** The ports as they are now: real numbers while the box runs, none while it does not. */
export function publishedPorts(box: Box): readonly Port[] {
  return hasVm(box) ? box.state.ports : [];
}

/**
 * Whether the guest itself serves RA-TLS at this port of the box. Documents of Docker have its
 * number: some clients read nothing else.
 */
export function isRatlsPort({ definition: { confidential } }: Box, boxPort: number): boolean {
  return confidential !== undefined && boxPort === RATLS_PORT;
}

export function bindText(bind: Box['definition']['binds'][number]): string {
  const mode = bindMode(bind);
  return `${bind.source}:${bind.destination}${mode === '' ? '' : `:${mode}`}`;
}

/** As it was given. Old records do not have it: for those, as it was understood. */
export function bindMode({ mode, readonly }: Box['definition']['binds'][number]): string {
  return mode ?? (readonly ? 'ro' : '');
}

/** The network that a box has to itself, or that it has none, by Docker's name. */
export function ownName({ definition: { network } }: Box): 'bridge' | 'none' {
  return network === 'none' ? 'none' : 'bridge';
}

/**
 * The network as it was asked for; the default one by Docker's name, whichever of its names was
 * asked for.
 */
export function networkName({ definition: { network, networkMode, endpoints } }: Box): string {
  if (networkMode !== undefined) return networkMode;
  if (network === 'user') return endpoints[0]?.name ?? '';
  return network === 'none' ? 'none' : 'bridge';
}
