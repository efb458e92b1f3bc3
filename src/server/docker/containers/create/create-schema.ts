/**
 * From Docker's create document to a request for a box.
 *
 * @module
 */
import * as z from 'zod';
import type { CreateRequest } from '../../../../boxes/create/create-request.ts';
import { parseLogSettings } from '../../../../boxes/output/log-settings.ts';
import type { LogSettings } from '../../../../boxes/record/box.ts';
import { A3sError } from '../../../../errors.ts';
import { parseRequest } from '../../../http/parse.ts';
import { goDocument } from '../../go-document.ts';
import { Confidential, confidentialRequest } from './confidential-schema.ts';
import { parseBind } from './create-binds.ts';
import { Healthcheck, healthRequest, healthWarnings } from './create-health.ts';
import { LIMIT_FIELDS, limitsOf } from './create-limits.ts';
import {
  checkExposed,
  isRatls,
  PortBindings,
  port,
  portBindings,
  withProtocol,
} from './create-ports.ts';
import { RestartPolicy, restartPolicy } from './create-restart.ts';
import { checkVolumes, Volumes } from './create-volumes.ts';
import {
  ABSENT_CONFIG,
  ABSENT_HOST_CONFIG,
  checkNetworking,
  ignoredWarnings,
  unsupported,
  withoutAbsent,
} from './unsupported-options.ts';

/** The kernel's own bound for one argument, and for all of them. */
export const text = z
  .string()
  .max(128 * 1024)
  .refine((value) => !value.includes('\0'), { error: 'must not contain a NUL character' });
const texts = z.array(text).max(65_536);
/** One string is a list of one, as in Docker. */
const command = z.union([texts, text.transform((one) => [one])]);
/** Rows, then columns. */
export const consoleSize = z
  .tuple([z.int().min(0).max(65_535), z.int().min(0).max(65_535)])
  .nullish()
  .transform((size) => size ?? undefined);
export const environment = z
  .array(text.regex(/^[^=]/, { error: 'must be NAME=value' }))
  .max(65_536);

const Config = z.strictObject({
  Image: z.string().min(1).max(4096),
  Hostname: z.string().max(63).default(''),
  User: text.max(256).default(''),
  AttachStdin: z.boolean().default(false),
  AttachStdout: z.boolean().default(false),
  AttachStderr: z.boolean().default(false),
  Tty: z.boolean().default(false),
  OpenStdin: z.boolean().default(false),
  StdinOnce: z.boolean().default(false),
  Env: environment.default([]),
  Cmd: command.optional(),
  Entrypoint: command.optional(),
  WorkingDir: text
    .max(4096)
    .regex(/^(\/|$)/, { error: 'it needs to be an absolute path' })
    .default(''),
  Labels: z.record(z.string().max(1024), text).default({}),
  StopSignal: z.string().max(32).default(''),
  StopTimeout: z.int().min(-1).max(2_147_483).optional(),
  ExposedPorts: z.record(port, z.strictObject({})).default({}),
  Healthcheck: Healthcheck.optional(),
  Volumes: Volumes.default({}),
});

/** Clients send empty words for the driver that is configured. */
const LogConfig = z.strictObject({
  Type: z.string().max(64).default(''),
  Config: z
    .record(z.string().max(64), text)
    .nullish()
    .transform((config) => config ?? {}),
});

const HostConfig = z.strictObject({
  AutoRemove: z.boolean().default(false),
  Binds: z.array(text.max(8192)).max(64).default([]),
  NetworkMode: z.string().max(256).default('default'),
  PortBindings: PortBindings.default({}),
  ConsoleSize: consoleSize,
  RestartPolicy: RestartPolicy.optional(),
  LogConfig: LogConfig.default({ Type: '', Config: {} }),
  Init: z.boolean().default(false),
  /** Where the client wrote the id: a note of its own, which the inspection shows. */
  ContainerIDFile: text.max(4096).default(''),
  ...LIMIT_FIELDS,
});

/** What is taken. Docker's other fields may be there with the value that asks for nothing: see `absent.ts`. */
export const CreateBody = Config.partial()
  .required({ Image: true })
  .extend({
    HostConfig: HostConfig.partial().optional(),
    NetworkingConfig: z.looseObject({}).optional(),
    Confidential: Confidential.optional(),
  });

export const CONFIG_KEYS = Object.keys(Config.shape);
export const HOST_CONFIG_KEYS = Object.keys(HostConfig.shape);
const HOSTNAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62})$/;

export interface ParsedCreate {
  readonly request: CreateRequest;
  readonly warnings: readonly string[];
}

/** @throws A3sError `unsupported-option` by name, or `invalid-argument`; nothing was changed */
export function parseCreate(name: string | undefined, body: unknown): ParsedCreate {
  const ignored: string[] = [];
  const whole = withoutAbsent(
    '',
    body,
    [...CONFIG_KEYS, 'HostConfig', 'NetworkingConfig', 'Confidential'],
    ABSENT_CONFIG,
    { ignored },
  );
  const {
    HostConfig: hostPart,
    NetworkingConfig: networking,
    Confidential: asked,
    ...configPart
  } = whole;
  const confidential =
    asked === undefined ? undefined : confidentialRequest(parseRequest(Confidential, asked));
  const config = parseRequest(Config, goDocument(Config, configPart, ignored));
  const host = parseRequest(
    HostConfig,
    goDocument(
      HostConfig,
      withoutAbsent('HostConfig.', hostPart, HOST_CONFIG_KEYS, ABSENT_HOST_CONFIG, { ignored }),
      ignored,
      'HostConfig.',
    ),
  );
  const exposed = [...Object.keys(config.ExposedPorts), ...Object.keys(host.PortBindings)];
  if (confidential === undefined && exposed.some(isRatls)) {
    throw unsupported('the port ratls', 'only confidential boxes serve RA-TLS');
  }
  const ports = portBindings(host.PortBindings);
  const network = networkOf(host.NetworkMode);
  checkNetworking(networking, network, ignored);
  const binds = host.Binds.map(parseBind);
  const volumes = Object.keys(config.Volumes);
  checkVolumes(volumes, binds);
  for (const key of Object.keys(config.ExposedPorts)) checkExposed(key);
  const restart = restartPolicy(host.RestartPolicy);
  if (host.AutoRemove && restart.name !== 'no') {
    throw new A3sError(
      'invalid-argument',
      "can't create 'AutoRemove' container with restart policy",
      { remedy: 'Leave out --rm, or --restart.' },
    );
  }
  if (network === 'none' && ports.length > 0) {
    throw new A3sError('invalid-argument', 'Cannot publish ports of a box without a network', {
      remedy: 'Leave out --network none, or the published ports.',
    });
  }
  const request: CreateRequest = {
    name: name === '' ? undefined : name,
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
    limits: limitsOf('HostConfig.', host),
    restart,
    init: host.Init,
    logging: logging(host.LogConfig),
    health: healthRequest(config.Healthcheck),
    network,
    ports,
    exposedPorts: exposed.map(withProtocol),
    binds,
    volumes,
    containerIdFile: orUndefined(host.ContainerIDFile),
    confidential,
  };
  const warnings = [...ignoredWarnings(ignored), ...healthWarnings(request.health)];
  return { request, warnings };
}

function logging({ Type, Config }: z.output<typeof LogConfig>): LogSettings {
  if (!['', 'json-file', 'local', 'none'].includes(Type)) {
    const why = `logger: no log driver named '${Type}' is registered`;
    throw unsupported('HostConfig.LogConfig', why);
  }
  return parseLogSettings(Type, Config);
}

/** A terminal's first size, as `[rows, columns]`; zero where the client has none. */
export function sizeOf(
  size: readonly [number, number] | undefined,
): { rows: number; columns: number } | undefined {
  if (size === undefined) return undefined;
  const [rows, columns] = size;
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

function networkOf(mode: string): 'default' | 'none' {
  switch (mode) {
    case '':
    case 'default':
    case 'bridge':
      return 'default';
    case 'none':
      return 'none';
    default:
      throw unsupported('HostConfig.NetworkMode', `${mode} is neither default nor none`);
  }
}

function hostname(name: string): string | undefined {
  if (name === '') return undefined;
  if (HOSTNAME.test(name)) return name;
  throw new A3sError('invalid-argument', `invalid hostname format: ${name}`);
}

function orUndefined(value: string): string | undefined {
  return value === '' ? undefined : value;
}
