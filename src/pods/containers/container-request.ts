/**
 * The request for a new container of a pod. What is undefined or empty comes from the image.
 *
 * @module
 */
import type { Confinement, Pids, Resources } from '@a3s-box/policies';
import type { ImageMountRequest } from '../../boxes/policy/image-mounts.ts';
import type { AskedLimits, ContainerMetadata, PodMount } from '../record/container.ts';

export interface ContainerRequest {
  readonly metadata: ContainerMetadata;
  /** Name, id or digest of an image that is in the store. */
  readonly image: string;
  /** As a user of Kubernetes wrote it; empty where that is not known. */
  readonly userImage: string;
  /** Replaces the image's entrypoint, and its command. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly workingDir: string;
  /** `user[:group]`. */
  readonly user: string | undefined;
  readonly mounts: readonly PodMount[];
  readonly imageMounts: readonly ImageMountRequest[];
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly readonlyRootfs: boolean;
  readonly confinement: Confinement;
  /** The id of another container may be its beginning. */
  readonly pids: Pids | undefined;
  readonly resources: Resources;
  readonly askedLimits: AskedLimits;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Absolute path of its log. Empty: its output is not kept. */
  readonly logPath: string;
  /** As the agent takes it. */
  readonly stopSignal: string | undefined;
}
