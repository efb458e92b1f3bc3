/**
 * Turns Docker's create document into a request for a box.
 *
 * @module
 */
import type * as z from 'zod';
import type { CreateRequest } from '../../../../boxes/create/create-request.ts';
import { parseLogSettings } from '../../../../boxes/output/log-settings.ts';
import type { LogSettings } from '../../../../boxes/record/box.ts';
import {
  Config,
  CreateBody,
  HostConfig,
  type LogConfig,
} from '../../../../docker-api/containers/create.ts';
import { A3sError } from '../../../../errors.ts';
import { parseRequest } from '../../../http/parse.ts';
import { egressRequest } from '../../egress-request.ts';
import { egressSecrets } from '../../egress-secrets.ts';
import { goObject } from '../../go-document.ts';
import { readAnnotations, refuseLabels } from './annotations.ts';
import { confidentialRequest } from './confidential-request.ts';
import { healthRequest, healthWarnings } from './create-health.ts';
import { limitsOf, withoutSwap } from './create-limits.ts';
import { namesOf } from './create-names.ts';
import { parseNetworking } from './create-networking.ts';
import { checkExposed, isRatls, portBindings, withProtocol } from './create-ports.ts';
import { restartPolicy } from './create-restart.ts';
import { securityOf } from './create-security.ts';
import { shmBytesOf, storageOf } from './create-storage.ts';
import { parseMounts } from './mounts/create-mounts.ts';
import {
  ignoredWarnings,
  UNSUPPORTED_HOST_CONFIG,
  unsupported,
  withoutUnsupported,
} from './unsupported-options.ts';

export const CONFIG_KEYS = Object.keys(Config.shape);
export const HOST_CONFIG_KEYS = Object.keys(HostConfig.shape);
const HOSTNAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62})$/;

export interface ParsedCreate {
  /** The name is a parameter of the query. */
  readonly request: Omit<CreateRequest, 'name'>;
  readonly warnings: readonly string[];
}

/**
 * @throws A3sError `unsupported-option` with the option's name, or `invalid-argument`; nothing was
 * changed
 */
export async function parseCreate(body: unknown): Promise<ParsedCreate> {
  const ignored: string[] = [];
  const discarded: string[] = [];
  const whole = withoutUnsupported(
    '',
    body,
    [
      ...CONFIG_KEYS,
      'HostConfig',
      'MacAddress',
      'NetworkingConfig',
      'Runtime',
      'Engine',
      'Confidential',
      'Egress',
      'EgressSecrets',
    ],
    {},
    { ignored },
  );
  const { NetworkingConfig: networking, MacAddress: mac, Runtime: runtime, ...rest } = whole;
  const { Engine: engine, Confidential: own, ...others } = rest;
  const { Egress: ownEgress, EgressSecrets: secrets, ...docker } = others;
  const hostPart = withoutUnsupported(
    'HostConfig.',
    docker['HostConfig'],
    HOST_CONFIG_KEYS,
    UNSUPPORTED_HOST_CONFIG,
    { ignored, warnings: discarded },
  );
  // docker-py sends it beside the image, where Docker has no such field.
  if (runtime !== undefined) hostPart['Runtime'] ??= runtime;
  const document = goObject(CreateBody, { ...docker, HostConfig: hostPart }, ignored);
  // What Docker has no word for is not read as Go reads: its names are exact.
  const config = parseRequest(CreateBody, {
    ...document,
    ...{ Engine: engine, Confidential: own, Egress: ownEgress, EgressSecrets: secrets },
  });
  const { HostConfig: host } = config;
  const annotated = await readAnnotations(host.Annotations);
  refuseLabels(config.Labels, host.Annotations);
  const confidential = confidentialRequest(
    onlyOne('Confidential', config.Confidential, annotated.confidential),
  );
  const exposed = [...Object.keys(config.ExposedPorts), ...Object.keys(host.PortBindings)];
  if (confidential === undefined && exposed.some(isRatls)) {
    throw unsupported('the port ratls', 'only confidential boxes serve RA-TLS');
  }
  const ports = portBindings(host.PortBindings);
  const networks = parseNetworking(
    host.NetworkMode,
    { networking, mac, links: host.Links ?? [], disabled: config.NetworkDisabled },
    ignored,
  );
  const mounts = parseMounts(host, config.Volumes);
  for (const key of Object.keys(config.ExposedPorts)) checkExposed(key);
  const restart = restartPolicy(host.RestartPolicy);
  if (host.AutoRemove && restart.name !== 'no') {
    throw new A3sError(
      'invalid-argument',
      "can't create 'AutoRemove' container with restart policy",
      { remedy: 'Leave out --rm, or --restart.' },
    );
  }
  if (networks.network === 'none' && ports.length > 0) {
    throw new A3sError('invalid-argument', 'Cannot publish ports of a box without a network', {
      remedy: 'Leave out --network none, or the published ports.',
    });
  }
  const request = {
    image: config.Image,
    entrypoint: config.Entrypoint,
    cmd: config.Cmd,
    env: config.Env,
    cwd: orUndefined(config.WorkingDir),
    user: orUndefined(config.User),
    hostname: hostname(config.Hostname),
    labels: config.Labels,
    terminal: config.Tty,
    openStdin: config.OpenStdin,
    stdinOnce: config.StdinOnce,
    attach: { stdin: config.AttachStdin, stdout: config.AttachStdout, stderr: config.AttachStderr },
    size: sizeOf(host.ConsoleSize),
    stopSignal: orUndefined(config.StopSignal),
    stopTimeout: config.StopTimeout,
    autoRemove: host.AutoRemove,
    memoryBytes: host.Memory,
    nanoCpus: host.NanoCpus,
    limits: withoutSwap(limitsOf('HostConfig.', host), host.Memory, discarded),
    security: securityOf(host, config.Domainname),
    restart,
    init: host.Init,
    logging: logging(host.LogConfig),
    health: healthRequest(config.Healthcheck),
    ...networks,
    names: namesOf(host),
    egress: egressRequest(onlyOne('Egress', config.Egress, annotated.egress)),
    egressSecrets: egressSecrets(config.EgressSecrets),
    ports,
    exposedPorts: exposed.map(withProtocol),
    publishAll: host.PublishAllPorts,
    ...mounts,
    shmBytes: shmBytesOf(host.ShmSize),
    readonlyRootfs: host.ReadonlyRootfs,
    storage: storageOf(host.StorageOpt),
    networkDisabled: config.NetworkDisabled || undefined,
    shell: orNone(config.Shell),
    onBuild: orNone(config.OnBuild),
    argsEscaped: config.ArgsEscaped || undefined,
    containerIdFile: orUndefined(host.ContainerIDFile),
    engine: config.Engine,
    confidential,
  };
  const warnings = [...discarded, ...ignoredWarnings(ignored), ...healthWarnings(request.health)];
  return { request, warnings };
}

/** One of both: merging them would need rules for what differs. */
function onlyOne<T>(field: string, given: T | undefined, annotated: T | undefined): T | undefined {
  if (given === undefined || annotated === undefined) return given ?? annotated;
  throw new A3sError(
    'invalid-argument',
    `Cannot create the box: the field ${field} and annotations dev.a3s.* for it are both given`,
    { remedy: 'Use either the flags of a3s-box, or annotations.' },
  );
}

/**
 * Docker's drivers that send output somewhere else. Of any other name Docker says that there is no
 * such driver.
 */
const SENDING_DRIVERS = ['awslogs', 'fluentd', 'gcplogs', 'gelf', 'journald', 'splunk', 'syslog'];

function logging({ Type, Config }: z.output<typeof LogConfig>): LogSettings {
  if (SENDING_DRIVERS.includes(Type)) {
    const why = `the output of a box is kept in its log, and not sent by ${Type}: say json-file, local or none`;
    throw unsupported('HostConfig.LogConfig', why);
  }
  return parseLogSettings(Type, Config);
}

/** A terminal's first size, as `[rows, columns]`; zero where the client has no terminal. */
export function sizeOf(
  size: readonly [number, number] | undefined,
): { rows: number; columns: number } | undefined {
  if (size === undefined) return undefined;
  const [rows, columns] = size;
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

function hostname(name: string): string | undefined {
  if (name === '') return undefined;
  if (HOSTNAME.test(name)) return name;
  throw new A3sError('invalid-argument', `invalid hostname format: ${name}`);
}

function orNone(list: readonly string[]): [string, ...string[]] | undefined {
  const [first, ...more] = list;
  return first === undefined ? undefined : [first, ...more];
}

function orUndefined(value: string): string | undefined {
  return value === '' ? undefined : value;
}
