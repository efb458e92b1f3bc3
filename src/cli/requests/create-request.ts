/**
 * The command line of `run` and `create`, as the body of a create request.
 *
 * Everything is checked here before the server is asked, or even started.
 *
 * @module
 */
import { resolve } from 'node:path';
import type { Confidential } from '../../docker-api/a3s/confidential.ts';
import type { EgressBody, EgressSecretBody } from '../../docker-api/a3s/egress.ts';
import type { CreateBody, HostConfig } from '../../docker-api/containers/create.ts';
import type { PortBindings } from '../../docker-api/containers/ports.ts';
import type { Invocation } from '../command.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { UsageError } from '../usage-error.ts';
import {
  parseEnvironment,
  readEnvironmentFile,
  readLabelFile,
  toMap,
} from '../values/environment.ts';
import { parseDns, parseDomain, parseExtraHost } from '../values/names.ts';
import { type PortBinding, parseExpose, parsePort, RATLS_PORT } from '../values/port.ts';
import { parseRestartPolicy } from '../values/restart-policy.ts';
import { attachedStreams, parseStream, type Streams } from '../values/streams.ts';
import { healthcheck } from './health-request.ts';
import { mountRequest } from './mount-request.ts';
import { networkRequest } from './network-request.ts';
import { createLimits } from './resource-request.ts';
import { securityRequest } from './security-request.ts';

/** The parts that Docker has no word for. */
export interface OwnParts {
  /** Undefined for a plain box. */
  readonly confidential?: Confidential | undefined;
  /** Undefined: nothing is limited. */
  readonly egress?: EgressBody | undefined;
  readonly egressSecrets?: readonly EgressSecretBody[] | undefined;
}

export interface CreateRequest {
  readonly name: string | undefined;
  readonly body: CreateBody;
  /** Where its id goes; absolute. */
  readonly cidFile: string | undefined;
}

/**
 * @param attached what a client will hold from the box's start
 */
export function createRequest(
  invocation: Invocation,
  attached: Streams,
  { confidential, egress, egressSecrets }: OwnParts = {},
): CreateRequest {
  const { flags, operands, context } = invocation;
  const [image = '', ...command] = operands;
  if (image === '')
    throw new UsageError('invalid reference: the image is empty', { code: 'invalid-reference' });
  const interactive = flags.bool('interactive');
  const ports = flags.parsedList('publish', parsePort).flat();
  checkRatlsPort(invocation, ports, confidential);
  const exposed = flags.parsedList('expose', parseExpose).flat();
  checkConflicts(flags);
  const mounts = mountRequest(invocation);
  const network = networkRequest(flags);
  const entrypoint = flags.string('entrypoint');
  const body: CreateBody = {
    Image: image,
    Cmd: command.length === 0 ? undefined : command,
    // An empty entrypoint clears the image's: Docker sends one empty string.
    Entrypoint: entrypoint === undefined ? undefined : [entrypoint],
    Env: environment(invocation),
    Labels: toMap([...flags.list('label-file').flatMap(readLabelFile), ...flags.list('label')]),
    Hostname: flags.string('hostname'),
    Domainname: flags.string('domainname'),
    User: flags.string('user'),
    WorkingDir: flags.string('workdir'),
    StopSignal: flags.string('stop-signal'),
    StopTimeout: flags.int('stop-timeout'),
    Tty: flags.bool('tty'),
    OpenStdin: interactive,
    StdinOnce: interactive && attached.stdin,
    AttachStdin: attached.stdin,
    AttachStdout: attached.stdout,
    AttachStderr: attached.stderr,
    ExposedPorts: Object.fromEntries(
      [...ports.map(({ boxPort }) => boxPort), ...exposed].map((port) => [port, {}]),
    ),
    Healthcheck: healthcheck(flags),
    Volumes: mounts.volumes,
    HostConfig: {
      AutoRemove: flags.bool('rm'),
      ...mounts.host,
      NetworkMode: network.mode,
      PortBindings: portBindings(ports),
      PublishAllPorts: flags.bool('publish-all') || undefined,
      Dns: someOf(flags.parsedList('dns', parseDns)),
      DnsOptions: someOf(flags.list('dns-option')),
      DnsSearch: someOf(flags.parsedList('dns-search', parseDomain)),
      ExtraHosts: someOf(flags.parsedList('add-host', parseExtraHost)),
      Links: someOf(flags.list('link')),
      ...createLimits(flags),
      ...securityRequest(invocation),
      Init: flags.given('init') ? flags.bool('init') : undefined,
      LogConfig: logConfig(flags),
      ConsoleSize: consoleSize(invocation),
    },
    NetworkingConfig: network.networking,
    Engine: flags.parsed('engine', parseEngine),
    Confidential: confidential,
    Egress: egress,
    EgressSecrets: egressSecrets,
  };
  const cidFile = flags.string('cidfile');
  return {
    name: flags.string('name'),
    body,
    cidFile: cidFile === undefined || cidFile === '' ? undefined : resolve(context.cwd, cidFile),
  };
}

/** Undefined for none: the field is then left out. */
function someOf(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** What a client will hold, by `--attach` and `-i`. */
export function streamsOf(flags: FlagValues): Streams {
  return attachedStreams(flags.parsedList('attach', parseStream), flags.bool('interactive'));
}

/** @throws UsageError in Docker's words for flags that contradict each other */
function checkConflicts(flags: FlagValues): void {
  const policy = flags.parsed('restart', parseRestartPolicy)?.Name ?? 'no';
  if (flags.bool('rm') && policy !== 'no') {
    throw new UsageError('conflicting options: cannot specify both --restart and --rm');
  }
}

function environment({ flags, context }: Invocation): readonly string[] {
  const fromFiles = flags
    .list('env-file')
    .flatMap((path) => readEnvironmentFile(path, context.env));
  const fromFlags = flags.parsedList('env', (text) => parseEnvironment(text, context.env));
  return [...fromFiles, ...fromFlags.filter((entry) => entry !== undefined)];
}

/** Only a confidential box answers there, and only on a network. */
function checkRatlsPort(
  { flags }: Invocation,
  ports: readonly PortBinding[],
  confidential: Confidential | undefined,
): void {
  if (!ports.some(({ boxPort }) => boxPort === RATLS_PORT)) return;
  if (confidential === undefined) {
    throw new UsageError('cannot publish ratls without --tee: only a confidential box has it', {
      code: 'unsupported-option',
      remedy: 'Add --tee snp, or --tee simulate where the host has no such hardware.',
    });
  }
  if (networkRequest(flags).mode !== 'none') return;
  throw new UsageError('cannot publish ratls with --network none: nothing reaches the box', {
    code: 'unsupported-option',
    remedy: "Leave one of both out; through the server, the box's name is enough.",
  });
}

function portBindings(ports: readonly PortBinding[]): PortBindings {
  const byPort: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    const bindings = byPort[port.boxPort] ?? [];
    bindings.push({ HostIp: port.hostIp, HostPort: port.hostPort });
    byPort[port.boxPort] = bindings;
  }
  return byPort;
}

function consoleSize({ flags, context }: Invocation): HostConfig['ConsoleSize'] {
  if (!flags.bool('tty')) return undefined;
  const { rows, columns } = context.stdout;
  return rows === undefined || columns === undefined ? undefined : [rows, columns];
}

/**
 * `--log-driver` and `--log-opt`; undefined where neither is given.
 *
 * @throws UsageError in Docker's words
 */
function logConfig(flags: FlagValues): HostConfig['LogConfig'] {
  const driver = flags.string('log-driver');
  const options = flags.list('log-opt');
  if (driver === undefined && options.length === 0) return undefined;
  if (driver === 'none' && options.length > 0) {
    throw new UsageError('invalid logging opts for driver none');
  }
  return { Type: driver ?? '', Config: toMap(options) };
}

const ENGINES = ['qemu', 'krun'] as const;

function parseEngine(text: string): (typeof ENGINES)[number] {
  const found = ENGINES.find((name) => name === text);
  if (found === undefined) throw new RangeError('it takes qemu or krun');
  return found;
}
