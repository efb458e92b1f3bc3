/**
 * From Docker's create document to a request for a box.
 *
 * @module
 */
import { isIP } from 'node:net';
import { posix } from 'node:path';
import * as z from 'zod';
import { type Bind, DEFAULT_LOGGING, type Port } from '../../boxes/box.ts';
import { RATLS_PORT } from '../../boxes/confidential/request.ts';
import type { CreateRequest } from '../../boxes/create-request.ts';
import { NO_LIMITS } from '../../boxes/limits.ts';
import { A3sError } from '../../errors.ts';
import { parseRequest } from '../http/parse.ts';
import { Confidential, confidentialRequest } from './confidential-schema.ts';
import {
  NEUTRAL_CONFIG,
  NEUTRAL_HOST_CONFIG,
  NEUTRAL_NETWORKING,
  unsupported,
  withoutNeutral,
} from './neutral.ts';

/** The kernel's own bound for one argument, and for all of them. */
export const text = z
  .string()
  .max(128 * 1024)
  .refine((value) => !value.includes('\0'), { error: 'must not contain a NUL character' });
const texts = z.array(text).max(65_536);
/** One string is a list of one, as in Docker. */
const command = z.union([texts, text.transform((one) => [one])]);
/** `ratls` is the port at which a confidential box serves RA-TLS. */
const port = z.string().regex(/^(\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?|ratls(\/tcp)?)$/, {
  error: 'must be PORT/PROTOCOL',
});
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
  WorkingDir: text.max(4096).default(''),
  Labels: z.record(z.string().max(1024), text).default({}),
  StopSignal: z.string().max(32).default(''),
  StopTimeout: z.int().min(-1).max(2_147_483).optional(),
  ExposedPorts: z.record(port, z.strictObject({})).default({}),
});

const HostConfig = z.strictObject({
  AutoRemove: z.boolean().default(false),
  Binds: z.array(text.max(8192)).max(64).default([]),
  NetworkMode: z.string().max(256).default('default'),
  PortBindings: z
    .record(
      port,
      z
        .array(
          z.strictObject({
            HostIp: z.string().max(64).default(''),
            HostPort: z.string().max(16).default(''),
          }),
        )
        .max(64)
        .nullable(),
    )
    .default({}),
  Memory: z.int().min(0).default(0),
  NanoCpus: z.int().min(0).default(0),
  ConsoleSize: consoleSize,
});

const CONFIG_KEYS = Object.keys(Config.shape);
const HOST_CONFIG_KEYS = Object.keys(HostConfig.shape);
const MAX_PORTS = 1024;
const HOSTNAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62})$/;

/** @throws A3sError `unsupported-option` by name, or `invalid-argument`; nothing was changed */
export function parseCreate(name: string | undefined, body: unknown): CreateRequest {
  const whole = withoutNeutral(
    '',
    body,
    [...CONFIG_KEYS, 'HostConfig', 'NetworkingConfig', 'Confidential'],
    NEUTRAL_CONFIG,
  );
  const {
    HostConfig: hostPart,
    NetworkingConfig: networking,
    Confidential: asked,
    ...configPart
  } = whole;
  const confidential =
    asked === undefined ? undefined : confidentialRequest(parseRequest(Confidential, asked));
  withoutNeutral('NetworkingConfig.', networking, [], NEUTRAL_NETWORKING);
  const config = parseRequest(Config, configPart);
  const host = parseRequest(
    HostConfig,
    withoutNeutral('HostConfig.', hostPart, HOST_CONFIG_KEYS, NEUTRAL_HOST_CONFIG),
  );
  const exposed = [...Object.keys(config.ExposedPorts), ...Object.keys(host.PortBindings)];
  if (confidential === undefined && exposed.some(isRatls)) {
    throw unsupported('the port ratls', 'only confidential boxes serve RA-TLS');
  }
  const ports = portBindings(host.PortBindings);
  const network = networkOf(host.NetworkMode);
  if (network === 'none' && ports.length > 0) {
    throw new A3sError('invalid-argument', 'Cannot publish ports of a box without a network', {
      remedy: 'Leave out --network none, or the published ports.',
    });
  }
  return {
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
    limits: NO_LIMITS,
    restart: { name: 'no', maximumRetryCount: 0 },
    init: false,
    logging: DEFAULT_LOGGING,
    health: undefined,
    network,
    ports,
    exposedPorts: exposed.map(withProtocol),
    binds: host.Binds.map(parseBind),
    confidential,
  };
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

function portBindings(bindings: z.infer<typeof HostConfig>['PortBindings']): Port[] {
  const ports: Port[] = [];
  for (const [key, hosts] of Object.entries(bindings)) {
    const [number = '', protocol = 'tcp'] = key.split('/');
    if (protocol !== 'tcp') throw unsupported('HostConfig.PortBindings', `${key} is not TCP`);
    const boxPort = isRatls(key) ? RATLS_PORT : portNumber(number, key);
    if (boxPort === 0) throw new A3sError('invalid-argument', `Invalid containerPort: ${key}`);
    for (const { HostIp, HostPort } of hosts ?? []) {
      if (HostIp !== '' && isIP(HostIp) === 0) {
        throw new A3sError('invalid-argument', `Invalid IP address: ${HostIp}`);
      }
      if (isIP(HostIp) === 6) {
        throw unsupported('HostConfig.PortBindings', `${HostIp} is not an address of IPv4`);
      }
      ports.push({ boxPort, hostIp: HostIp, hostPort: portNumber(HostPort || '0', HostPort) });
    }
  }
  if (ports.length > MAX_PORTS) {
    throw new A3sError('invalid-argument', `Cannot publish more than ${MAX_PORTS} ports`);
  }
  return ports;
}

function portNumber(digits: string, shown: string): number {
  if (digits.includes('-')) throw unsupported('a range of ports', shown);
  const number = /^\d{1,5}$/.test(digits) ? Number(digits) : Number.NaN;
  if (number <= 65_535) return number;
  throw new A3sError('invalid-argument', `Invalid hostPort: ${shown}`);
}

function isRatls(key: string): boolean {
  return key.split('/')[0] === 'ratls';
}

function withProtocol(key: string): string {
  if (isRatls(key)) return `${RATLS_PORT}/tcp`;
  return key.includes('/') ? key : `${key}/tcp`;
}

/** `source:destination[:mode]`, both absolute; named volumes and other modes are refused by name. */
function parseBind(bind: string): Bind {
  const parts = bind.split(':');
  const [source = '', destination = '', mode = ''] = parts;
  if (parts.length < 2 || parts.length > 3) {
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}'`);
  }
  if (!source.startsWith('/')) {
    throw unsupported('HostConfig.Binds', `'${source}' names a volume; a host path is absolute`);
  }
  const target = posix.normalize(destination);
  if (!destination.startsWith('/') || target === '/') {
    const why = target === '/' ? "destination can't be '/'" : 'mount path must be absolute';
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}': ${why}`);
  }
  return {
    source: posix.normalize(source),
    destination: target.replace(/(.)\/$/, '$1'),
    readonly: isReadonly(mode, bind),
  };
}

function isReadonly(mode: string, bind: string): boolean {
  if (mode === 'ro') return true;
  if (mode === '' || mode === 'rw') return false;
  throw unsupported('HostConfig.Binds', `mode of '${bind}' is neither ro nor rw`);
}

function hostname(name: string): string | undefined {
  if (name === '') return undefined;
  if (HOSTNAME.test(name)) return name;
  throw new A3sError('invalid-argument', `invalid hostname format: ${name}`);
}

function orUndefined(value: string): string | undefined {
  return value === '' ? undefined : value;
}
