/**
 * What a box's processes may do, as the create document has it.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { text } from './process.ts';

const names = z.array(text.max(256)).max(256).default([]);

const paths = z.array(text.max(4096)).max(256);

const Device = z.strictObject({
  PathOnHost: text.max(4096),
  PathInContainer: text.max(4096).default(''),
  CgroupPermissions: z.string().max(16).default(''),
});

/** Absent is what Docker gives every container. */
export const PROCESS_OPTION_FIELDS = {
  CapAdd: names,
  CapDrop: names,
  GroupAdd: names,
  /** A profile of system calls is a text of JSON. */
  SecurityOpt: z
    .array(text.max(1024 * 1024))
    .max(64)
    .default([]),
  MaskedPaths: paths.optional(),
  ReadonlyPaths: paths.optional(),
  OomScoreAdj: z.int().default(0),
  Sysctls: z.record(z.string().max(1024), text.max(4096)).default({}),
  Annotations: z.record(z.string().max(1024), text).default({}),
  IpcMode: z.string().max(256).default(''),
  UsernsMode: z.string().max(256).default(''),
  Isolation: z.string().max(256).default(''),
  Runtime: z.string().max(256).default(''),
  Privileged: z.boolean().default(false),
  DeviceCgroupRules: names,
  Devices: z.array(Device).max(64).default([]),
};
export const ProcessOptions = z.strictObject(PROCESS_OPTION_FIELDS);
export type ProcessOptions = Document<typeof ProcessOptions>;
