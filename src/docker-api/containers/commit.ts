/**
 * The configuration that a commit may be given, and the answer of a commit.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { Config } from './create.ts';
import { texts } from './process.ts';

const { User, Env, Cmd, Entrypoint, WorkingDir, Labels, StopSignal, ExposedPorts } = Config.shape;
const { Healthcheck, Volumes } = Config.shape;

/**
 * What an image has of Docker's `Config`. Its other fields are of a container alone, and are not
 * read.
 */
export const CommitConfig = z.looseObject({
  ...{ User, Env, Cmd, Entrypoint, WorkingDir, Labels, StopSignal, ExposedPorts },
  ...{ Healthcheck, Volumes },
  OnBuild: texts.default([]),
  Shell: texts.default([]),
});
export type CommitConfig = Document<typeof CommitConfig>;

export const Committed = z.strictObject({ Id: z.string() });
export type Committed = Document<typeof Committed>;
