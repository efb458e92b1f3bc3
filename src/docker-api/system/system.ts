/**
 * The documents about the server itself.
 *
 * @module
 */
import * as z from 'zod';
import { ContainerSummary } from '../containers/container.ts';
import type { Document } from '../document.ts';
import { ImageSummary } from '../images/image.ts';
import { Volume } from '../volume.ts';
import { BuildCache } from './build-cache.ts';

const details = {
  ApiVersion: z.string(),
  Arch: z.string(),
  KernelVersion: z.string(),
  MinAPIVersion: z.string(),
  Os: z.literal('linux'),
  Node: z.string(),
};

export const Version = z.strictObject({
  Platform: z.strictObject({ Name: z.string() }),
  Components: z.array(
    z.strictObject({
      Name: z.string(),
      Version: z.string(),
      Details: z.strictObject({ ...details, Experimental: z.literal('false') }),
    }),
  ),
  Version: z.string(),
  ...details,
  GitCommit: z.literal(''),
  GoVersion: z.literal(''),
  BuildTime: z.literal(''),
});
export type Version = Document<typeof Version>;

const none = z.array(z.never());

export const Info = z.strictObject({
  ID: z.string(),
  Containers: z.int(),
  ContainersRunning: z.int(),
  ContainersPaused: z.int(),
  ContainersStopped: z.int(),
  Images: z.int(),
  Driver: z.literal('erofs'),
  DriverStatus: none,
  Plugins: z.strictObject({
    Volume: none,
    Network: z.array(z.enum(['bridge', 'null'])),
    Authorization: z.null(),
    Log: z.array(z.enum(['json-file', 'local', 'none'])),
  }),
  MemoryLimit: z.boolean(),
  SwapLimit: z.boolean(),
  CpuCfsPeriod: z.boolean(),
  CpuCfsQuota: z.boolean(),
  CPUShares: z.boolean(),
  CPUSet: z.boolean(),
  PidsLimit: z.boolean(),
  OomKillDisable: z.boolean(),
  IPv4Forwarding: z.boolean(),
  BridgeNfIptables: z.boolean(),
  BridgeNfIp6tables: z.boolean(),
  Debug: z.boolean(),
  NFd: z.int(),
  NGoroutines: z.int(),
  NEventsListener: z.int(),
  SystemTime: z.string(),
  LoggingDriver: z.literal('json-file'),
  CgroupDriver: z.literal('none'),
  CgroupVersion: z.literal('2'),
  KernelVersion: z.string(),
  OperatingSystem: z.string(),
  OSVersion: z.string(),
  OSType: z.literal('linux'),
  Architecture: z.enum(['x86_64', 'aarch64']),
  IndexServerAddress: z.string(),
  RegistryConfig: z.null(),
  NCPU: z.int(),
  MemTotal: z.int(),
  GenericResources: z.null(),
  DockerRootDir: z.string(),
  HttpProxy: z.string(),
  HttpsProxy: z.string(),
  NoProxy: z.string(),
  Name: z.string(),
  Labels: z.array(z.string()),
  ExperimentalBuild: z.boolean(),
  ServerVersion: z.string(),
  Runtimes: z.record(z.string(), z.strictObject({ path: z.string() })),
  DefaultRuntime: z.string(),
  Swarm: z.strictObject({ LocalNodeState: z.literal('inactive') }),
  LiveRestoreEnabled: z.boolean(),
  Isolation: z.literal(''),
  InitBinary: z.string(),
  SecurityOptions: z.array(z.string()),
  Warnings: z.array(z.string()).nullable(),
});
export type Info = Document<typeof Info>;

export const EventMessage = z.strictObject({
  status: z.string(),
  id: z.string(),
  /** Of a box: its image. */
  from: z.string().optional(),
  Type: z.string(),
  Action: z.string(),
  Actor: z.strictObject({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
  scope: z.literal('local'),
  time: z.int(),
  /** Above what a number of JavaScript holds exactly. */
  timeNano: z.number(),
});
export type EventMessage = Document<typeof EventMessage>;

/** Each part is there for which `type` asks. */
export const DiskUsage = z.strictObject({
  LayersSize: z.int().optional(),
  Images: z.array(ImageSummary).optional(),
  Containers: z.array(ContainerSummary).optional(),
  Volumes: z.array(Volume).optional(),
  BuildCache: z.array(BuildCache).optional(),
  BuilderSize: z.literal(0).optional(),
});
export type DiskUsage = Document<typeof DiskUsage>;
