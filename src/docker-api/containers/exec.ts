/**
 * The documents of exec.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { consoleSize, environment, text, texts } from './process.ts';

export const ExecCreate = z.strictObject({
  /** The box once more, as a widely used client sends it. */
  Container: z.string().max(1024).default(''),
  AttachStdin: z.boolean().default(false),
  AttachStdout: z.boolean().default(false),
  AttachStderr: z.boolean().default(false),
  Tty: z.boolean().default(false),
  Detach: z.boolean().default(false),
  DetachKeys: z.string().max(256).default(''),
  /** With all capabilities, and otherwise what every process of the box is held to. */
  Privileged: z.boolean().default(false),
  Cmd: texts.default([]),
  Env: environment.default([]),
  User: text.max(256).default(''),
  WorkingDir: text.max(4096).default(''),
  ConsoleSize: consoleSize,
});
export type ExecCreate = Document<typeof ExecCreate>;

export const ExecCreated = z.strictObject({ Id: z.string() });
export type ExecCreated = Document<typeof ExecCreated>;

export const ExecStart = z
  .strictObject({
    Detach: z.boolean().nullish(),
    Tty: z.boolean().nullish(),
    ConsoleSize: consoleSize,
    // A widely used client sends its own options along; they say how it holds the connection.
    hijack: z.boolean().optional(),
    stdin: z.boolean().optional(),
  })
  .nullish();
export type ExecStart = Document<typeof ExecStart>;

export const ExecInspect = z.strictObject({
  ID: z.string(),
  Running: z.boolean(),
  /** Null until it ended. */
  ExitCode: z.int().nullable(),
  ProcessConfig: z.strictObject({
    tty: z.boolean(),
    entrypoint: z.string(),
    arguments: z.array(z.string()),
    privileged: z.boolean(),
    user: z.string(),
  }),
  OpenStdin: z.boolean(),
  OpenStderr: z.boolean(),
  OpenStdout: z.boolean(),
  CanRemove: z.boolean(),
  ContainerID: z.string(),
  DetachKeys: z.literal(''),
  /** In the guest. */
  Pid: z.int(),
});
export type ExecInspect = Document<typeof ExecInspect>;
