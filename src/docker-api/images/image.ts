/**
 * The documents of images.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const Manifest = z.strictObject({
  ID: z.string(),
  Descriptor: z.strictObject({ digest: z.string() }),
  Available: z.boolean(),
  Kind: z.literal('image'),
  Size: z.strictObject({ Content: z.int(), Total: z.int() }),
  ImageData: z.strictObject({
    Platform: z.strictObject({ os: z.string(), architecture: z.string() }),
    Containers: z.array(z.string()),
    Size: z.strictObject({ Unpacked: z.int() }),
  }),
});

export const ImageSummary = z.strictObject({
  Id: z.string(),
  ParentId: z.string(),
  RepoTags: z.array(z.string()),
  RepoDigests: z.array(z.string()),
  /** Seconds since 1970. */
  Created: z.int(),
  Size: z.int(),
  /** Before version 1.44. */
  VirtualSize: z.int().optional(),
  /** -1 where nobody asked. */
  SharedSize: z.int(),
  Labels: z.record(z.string(), z.string()),
  Containers: z.int(),
  Manifests: z.array(Manifest).optional(),
});
export type ImageSummary = Document<typeof ImageSummary>;

const nothing = z.strictObject({});

export const ImageInspect = z.strictObject({
  Id: z.string(),
  RepoTags: z.array(z.string()),
  RepoDigests: z.array(z.string()),
  Parent: z.string(),
  Comment: z.string(),
  Created: z.string(),
  Author: z.string(),
  Architecture: z.string(),
  Os: z.string(),
  Size: z.int(),
  /** Before version 1.44. */
  VirtualSize: z.int().optional(),
  Config: z.strictObject({
    User: z.string(),
    ExposedPorts: z.record(z.string(), nothing).optional(),
    Env: z.array(z.string()),
    Entrypoint: z.array(z.string()).nullable(),
    Cmd: z.array(z.string()).nullable(),
    Volumes: z.record(z.string(), nothing),
    WorkingDir: z.string(),
    Labels: z.record(z.string(), z.string()),
    StopSignal: z.string().optional(),
    Healthcheck: z.record(z.string(), z.unknown()).optional(),
    Shell: z.array(z.string()).optional(),
    OnBuild: z.array(z.string()).optional(),
  }),
  GraphDriver: z.strictObject({ Name: z.string(), Data: nothing }),
  RootFS: z.strictObject({ Type: z.literal('layers'), Layers: z.array(z.string()) }),
  Metadata: z.strictObject({ LastTagTime: z.string() }),
  Descriptor: z.strictObject({ digest: z.string() }),
  /** Docker has no word for this: how the manifest came here, latest first. */
  Origins: z.array(
    z.strictObject({
      Kind: z.enum(['pull', 'load', 'import', 'commit', 'build']),
      Reference: z.string(),
      At: z.string(),
      /** Of a build: the images that it asked for, and what the image policy decided. */
      Bases: z.array(
        z.strictObject({
          Name: z.string(),
          Manifest: z.string(),
          Verdict: z.string(),
          Reason: z.string(),
          Policy: z.string(),
        }),
      ),
    }),
  ),
});
export type ImageInspect = Document<typeof ImageInspect>;

/** What a removal did, step by step. */
export const Removed = z.union([
  z.strictObject({ Untagged: z.string() }),
  z.strictObject({ Deleted: z.string() }),
]);
export type Removed = Document<typeof Removed>;

export const HistoryEntry = z.strictObject({
  Id: z.string(),
  Created: z.int(),
  CreatedBy: z.string(),
  Tags: z.array(z.string()).nullable(),
  Size: z.int(),
  Comment: z.string(),
});
export type HistoryEntry = Document<typeof HistoryEntry>;
