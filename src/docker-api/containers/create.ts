/**
 * The document that a box is made by, and the answer.
 *
 * @module
 */
import * as z from 'zod';
import { Confidential } from '../a3s/confidential.ts';
import { EgressBody, EgressSecretBody } from '../a3s/egress.ts';
import type { Document } from '../document.ts';
import { Healthcheck } from './healthcheck.ts';
import { LIMIT_FIELDS } from './limits.ts';
import { Mount } from './mount.ts';
import { PortBindings, port } from './ports.ts';
import { consoleSize, environment, text, texts } from './process.ts';
import { PROCESS_OPTION_FIELDS } from './process-options.ts';
import { RestartPolicy } from './restart-policy.ts';

/** One string is a list of one, as in Docker. */
const command = z.union([texts, text.transform((one) => [one])]);

export const Config = z.strictObject({
  Image: z.string().min(1).max(4096),
  Hostname: z.string().max(63).default(''),
  Domainname: z.string().max(256).default(''),
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
  /** Paths of anonymous volumes. Clients that mount something there name the path here as well. */
  Volumes: z.record(text.max(4096), z.strictObject({})).default({}),
  /** The box has no network, as with `NetworkMode` `none`. */
  NetworkDisabled: z.boolean().default(false),
  /** Runs the probe of a health check that is a line, and is of images that are made of the box. */
  Shell: texts.default([]),
  /** Of images that are made of the box. */
  OnBuild: texts.default([]),
  /** Of Windows: nothing reads it. */
  ArgsEscaped: z.boolean().default(false),
});

/** Clients send empty words for the driver that is configured. */
export const LogConfig = z.strictObject({
  Type: z.string().max(64).default(''),
  Config: z
    .record(z.string().max(64), text)
    .nullish()
    .transform((config) => config ?? {}),
});

export const HostConfig = z.strictObject({
  AutoRemove: z.boolean().default(false),
  Binds: z.array(text.max(8192)).max(64).default([]),
  Mounts: z.array(Mount).max(64).default([]),
  VolumeDriver: z.string().max(256).default(''),
  /** Options, such as `size=64m,mode=1770`, by the path of each filesystem in memory. */
  Tmpfs: z.record(text.max(4096), text.max(4096)).default({}),
  /** Bytes of `/dev/shm`; 0: 64 MiB. */
  ShmSize: z.int().default(0),
  ReadonlyRootfs: z.boolean().default(false),
  /** `size` of the writable layer. */
  StorageOpt: z.record(z.string().max(256), text.max(256)).default({}),
  /** `box[:ro|rw]`. */
  VolumesFrom: z.array(text.max(512)).max(64).default([]),
  NetworkMode: z.string().max(256).default('default'),
  PortBindings: PortBindings.default({}),
  PublishAllPorts: z.boolean().default(false),
  Dns: z.array(z.string().max(64)).max(16).nullable().default(null),
  DnsOptions: z.array(z.string().max(64)).max(32).nullable().default(null),
  DnsSearch: z.array(z.string().max(253)).max(32).nullable().default(null),
  /** `name:address`, or `name:host-gateway`. */
  ExtraHosts: z.array(z.string().max(512)).max(256).nullable().default(null),
  /** `box:alias`, of the main network. */
  Links: z.array(z.string().max(512)).max(64).nullable().default(null),
  ConsoleSize: consoleSize,
  RestartPolicy: RestartPolicy.optional(),
  LogConfig: LogConfig.default({ Type: '', Config: {} }),
  Init: z.boolean().default(false),
  /** Where the client wrote the id: a note of its own, which the inspection shows. */
  ContainerIDFile: text.max(4096).default(''),
  ...LIMIT_FIELDS,
  ...PROCESS_OPTION_FIELDS,
});
export type HostConfig = Document<typeof HostConfig>;

/**
 * What is taken. Docker's other fields may be there with the value that asks for nothing: the
 * server refuses any other.
 *
 * The first of the forms in which it is written what a box is to be;
 * docs/development/architecture.md has all of them, each with the boundary that it crosses.
 */
export const CreateBody = Config.extend({
  HostConfig: HostConfig.prefault({}),
  NetworkingConfig: z.looseObject({}).optional(),
  /** Absent: the configured one, or the automatic one. */
  Engine: z.enum(['qemu', 'krun']).optional(),
  Confidential: Confidential.optional(),
  Egress: EgressBody.optional(),
  EgressSecrets: z.array(EgressSecretBody).max(16).optional(),
});
export type CreateBody = Document<typeof CreateBody>;

/** Of a confidential box that is only measured: the document that would make it. */
export const MeasureBody = CreateBody.extend({ Confidential });

export const Created = z.strictObject({ Id: z.string(), Warnings: z.array(z.string()) });
export type Created = Document<typeof Created>;
