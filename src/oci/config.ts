/**
 * The configuration of an image, as the OCI specification and Docker write it.
 *
 * @module
 */
import * as z from 'zod';
import type { Digest } from './digest.ts';
import { digestText } from './digest-text.ts';
import { openObject, parseDocument } from './json/json.ts';

/** Go writes null for what is empty. */
const strings = z.array(z.string()).nullish();
const set = z.record(z.string(), z.looseObject({}).nullable()).nullish();

/** Docker cannot have written a time that is no whole number of nanoseconds. */
const time = z.int().nullish();
const Healthcheck = openObject({
  Test: strings,
  Interval: time,
  Timeout: time,
  StartPeriod: time,
  StartInterval: time,
  Retries: time,
});

const ConfigDocument = openObject({
  created: z.string().max(64).nullish(),
  author: z.string().max(4096).nullish(),
  architecture: z.string().max(64),
  os: z.string().max(64),
  config: openObject({
    Entrypoint: strings,
    Cmd: strings,
    Env: strings,
    WorkingDir: z.string().nullish(),
    User: z.string().nullish(),
    Labels: z.record(z.string(), z.string()).nullish(),
    StopSignal: z.string().max(64).nullish(),
    ExposedPorts: set,
    Volumes: set,
    Healthcheck: Healthcheck.nullish(),
    Shell: strings,
    OnBuild: strings,
  }).nullish(),
  rootfs: openObject({
    type: z.literal('layers'),
    diff_ids: z.array(digestText).nullable(),
  }),
});

/** Docker's `HEALTHCHECK`: times in nanoseconds, 0 where the image says nothing. */
export interface ImageHealthcheck {
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** The parts of an OCI image configuration that a box is made from. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | undefined;
  /** `80/tcp` and the like. */
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  /** Docker's own; the OCI specification has neither. */
  readonly healthcheck?: ImageHealthcheck | undefined;
  /** The shell that runs shell-form commands; `/bin/sh -c` where it is absent. */
  readonly shell?: readonly string[] | undefined;
  /** Instructions of later builds on this image. */
  readonly onBuild?: readonly string[] | undefined;
}

export interface ConfigFile {
  readonly architecture: string;
  readonly os: string;
  readonly created: string;
  readonly author: string;
  readonly diffIds: readonly Digest[];
  readonly config: ImageConfig;
}

/** @throws A3sError `invalid-image` */
export function parseConfig(bytes: Buffer, what: string): ConfigFile {
  const document = parseDocument(bytes, ConfigDocument, what);
  const config = document.config ?? {};
  return {
    architecture: document.architecture,
    os: document.os,
    created: document.created ?? '',
    author: document.author ?? '',
    diffIds: document.rootfs.diff_ids ?? [],
    config: {
      entrypoint: config.Entrypoint ?? [],
      cmd: config.Cmd ?? [],
      env: config.Env ?? [],
      workingDir: config.WorkingDir ?? '',
      user: config.User ?? '',
      labels: config.Labels ?? {},
      stopSignal: config.StopSignal || undefined,
      exposedPorts: Object.keys(config.ExposedPorts ?? {}),
      volumes: Object.keys(config.Volumes ?? {}),
      ...healthcheckOf(config.Healthcheck),
      ...(config.Shell == null || config.Shell.length === 0 ? {} : { shell: config.Shell }),
      ...(config.OnBuild == null || config.OnBuild.length === 0 ? {} : { onBuild: config.OnBuild }),
    },
  };
}

function healthcheckOf(
  asked: z.infer<typeof Healthcheck> | null | undefined,
): Pick<ImageConfig, 'healthcheck'> {
  if (asked == null || (asked.Test ?? []).length === 0) return {};
  return {
    healthcheck: {
      test: asked.Test ?? [],
      interval: asked.Interval ?? 0,
      timeout: asked.Timeout ?? 0,
      startPeriod: asked.StartPeriod ?? 0,
      startInterval: asked.StartInterval ?? 0,
      retries: asked.Retries ?? 0,
    },
  };
}
