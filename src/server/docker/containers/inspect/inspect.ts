/**
 * `GET /containers/{id}/json`.
 *
 * @module
 */
import { join } from 'node:path';
import { firstHealth } from '../../../../boxes/health/health-state.ts';
import { trustOf } from '../../../../boxes/policy/trust-record.ts';
import { type Box, commandOf } from '../../../../boxes/record/box.ts';
import { boxDirectory } from '../../../../boxes/record/directories.ts';
import { hostMay } from '../../../../boxes/record/host-may.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { ContainerInspect } from '../../../../docker-api/containers/container.ts';
import { AUTOMATIC, CONFIGURED } from '../../../../engine/engine-name.ts';
import { json } from '../../../http/answer.ts';
import { type Route, route } from '../../../http/route.ts';
import { showEgress } from '../../egress-request.ts';
import { showEgressSecrets } from '../../egress-secrets.ts';
import { flag, noBody, query } from '../../query.ts';
import { byBoxPort, hostConfigOf } from './inspect-host-config.ts';
import { mountsOf } from './inspect-parts.ts';
import { sizesOf } from './list.ts';
import { dockerStatus, hasVm, publishedPorts, ZERO_TIME } from './show.ts';
import { showConfidential } from './show-confidential.ts';
import { healthOf } from './show-health.ts';
import { showJail } from './show-jail.ts';
import { addressOf, endpointsOf } from './show-networks.ts';

type InspectRoutesHost = InspectHost & Pick<Runtime, 'images'>;

export const INSPECT_ROUTES: readonly Route<InspectRoutesHost>[] = [
  // As in Docker, a box may be named by a link to it.
  route('GET', '/containers/:id{.+}/json', {
    access: 'owner',
    summary: 'Inspect a box',
    answers: { 200: ContainerInspect },
    query: query({ size: flag }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      const box = rt.store.resolve(id);
      const sizes = query.size ? await sizesOf(rt, box, await rt.images.usage()) : {};
      return json({ ...inspectBox(rt, box), ...sizes });
    },
  }),
];

type Inspect = ContainerInspect;

/** What an inspection needs of the server. */
export type InspectHost = Pick<
  Runtime,
  'home' | 'execs' | 'networks' | 'store' | 'volumes' | 'restarts'
>;

export function inspectBox(rt: InspectHost, box: Box): Inspect {
  const { definition } = box;
  const [path = '', ...args] = commandOf(definition);
  return {
    Id: definition.id,
    Created: definition.createdAt,
    Path: path,
    Args: args,
    State: stateOf(rt, box),
    Image: definition.image.id,
    // Docker has no such fields: the last decision about the image, and the one at create.
    Trust: trustOf(box) ?? null,
    TrustAtCreate: definition.trust ?? null,
    // Docker has no such field: how the microVM of this run, or of the last one, was started.
    Machine: vmOf(box),
    Engine: engineOf(box),
    Jail: showJail(box),
    // Null for a plain box.
    Confidential: showConfidential(box),
    Egress: showEgress(definition.egress),
    EgressSecrets: showEgressSecrets(definition.egressSecrets?.secrets),
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: logPath(rt, box),
    Name: `/${box.name}`,
    RestartCount: box.state.restartCount,
    Driver: 'erofs',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execIds(rt, definition.id),
    HostConfig: hostConfigOf(rt, box),
    GraphDriver: { Name: 'erofs', Data: {} },
    Mounts: mountsOf(rt, box),
    Config: configOf(box),
    NetworkSettings: networkOf(rt, box),
  };
}

/** None where this host may not keep what the box writes, or does not in one file. */
function logPath(rt: Pick<Runtime, 'home'>, box: Box): string {
  const { id, logging } = box.definition;
  const kept = hostMay(box, 'logs') && logging.driver === 'json-file';
  return kept ? join(boxDirectory(rt, id), 'output.log') : '';
}

function vmOf({ state: { machine } }: Box) {
  return machine === undefined ? null : { Start: machine.start, Source: machine.source ?? '' };
}

function engineOf({ definition: { engine } }: Box): Inspect['Engine'] {
  if (engine === undefined) return { Name: AUTOMATIC.name, Reason: AUTOMATIC.reason };
  const reason = { request: 'named when it was created', configuration: CONFIGURED };
  return { Name: engine.name, Reason: reason[engine.by] };
}

/**
 * A box that a user restarts is shown as running. Docker's inspection waits for the start, and
 * docker compose follows no container any longer that has died and does not run.
 */
function stateOf({ restarts }: Pick<Runtime, 'restarts'>, box: Box): Inspect['State'] {
  const { state } = box;
  const found = dockerStatus(state);
  const isBetween = found === 'exited' && restarts.isAsked(box.definition.id);
  const status = isBetween ? 'running' : found;
  const running = isBetween || hasVm(box);
  // docker compose takes a box without it for one that nothing checks.
  const health = state.status === 'starting' ? firstHealth(box.definition) : state.health;
  return {
    Status: status,
    // Docker, too, shows a restarting container as running.
    Running: running || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: false,
    Pid: state.pid,
    ExitCode: running ? 0 : state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt ?? ZERO_TIME,
    FinishedAt: (running ? undefined : state.finishedAt) ?? ZERO_TIME,
    ...(health === undefined ? {} : { Health: healthOf(health) }),
  };
}

function execIds({ execs }: Pick<Runtime, 'execs'>, id: string): string[] | null {
  const running = execs.ofBox(id).filter(({ state }) => state !== 'exited');
  return running.length === 0 ? null : running.map((exec) => exec.id);
}

function configOf(box: Box): Inspect['Config'] {
  const { definition } = box;
  const { stopTimeout, stopSignal, attach } = definition;
  const healthcheck = definition.health?.asked ?? definition.inertHealth;
  return {
    Hostname: definition.hostname,
    Domainname: definition.security.domainname,
    User: definition.user,
    AttachStdin: attach.stdin,
    AttachStdout: attach.stdout,
    AttachStderr: attach.stderr,
    ...(definition.exposedPorts.length === 0 ? {} : { ExposedPorts: exposedPorts(box) }),
    Tty: definition.terminal,
    OpenStdin: definition.openStdin,
    StdinOnce: definition.stdinOnce,
    Env: definition.env,
    Cmd: definition.cmd,
    Image: definition.image.reference,
    Volumes:
      definition.volumes.length === 0
        ? null
        : Object.fromEntries(definition.volumes.map((path) => [path, {}])),
    WorkingDir: definition.cwd,
    Entrypoint: definition.entrypoint.length === 0 ? null : definition.entrypoint,
    ...(definition.mac === undefined ? {} : { MacAddress: definition.mac }),
    OnBuild: definition.onBuild ?? null,
    ...(definition.shell === undefined ? {} : { Shell: definition.shell }),
    ...(definition.networkDisabled ? { NetworkDisabled: true as const } : {}),
    ...(definition.argsEscaped ? { ArgsEscaped: true as const } : {}),
    Labels: definition.labels,
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...(stopTimeout === undefined ? {} : { StopTimeout: stopTimeout }),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
  };
}

function exposedPorts(box: Box): Record<string, Record<string, never>> {
  return Object.fromEntries(
    box.definition.exposedPorts.map((port) => [port.includes('/') ? port : `${port}/tcp`, {}]),
  );
}

/** Ports that a running box exposes, each without a port of the host. */
function unpublished(box: Box): Record<string, null> {
  if (!hasVm(box) || box.definition.network === 'none') return {};
  return Object.fromEntries(Object.keys(exposedPorts(box)).map((port) => [port, null]));
}

function networkOf(rt: Pick<Runtime, 'networks'>, box: Box): Inspect['NetworkSettings'] {
  const addressed = hasVm(box) && box.definition.network === 'default';
  return {
    Bridge: '',
    SandboxID: '',
    SandboxKey: '',
    Ports: { ...unpublished(box), ...byBoxPort(publishedPorts(box)) },
    ...addressOf(box),
    MacAddress: addressed ? (box.definition.mac ?? '') : '',
    Networks: endpointsOf(rt, box),
  };
}
