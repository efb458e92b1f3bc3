/**
 * The request for a new box.
 *
 * @module
 */
import type { EngineName } from '../../engine/engine-name.ts';
import type { RecordedPolicy } from '../../networks/egress/egress.ts';
import type { AskedSecret } from '../../networks/egress/secrets.ts';
import type { ImageHealthcheck } from '../../oci/config.ts';
import type { VolumeKind } from '../../volumes/volume.ts';
import type { ImageMountRequest } from '../policy/image-mounts.ts';
import type {
  Bind,
  BoxDefinition,
  LogSettings,
  Port,
  RestartPolicy,
  VolumeMount,
} from '../record/box.ts';
import type { ConfidentialRequest } from '../record/confidential-request.ts';
import type { Limits } from '../record/limits.ts';
import type { Names } from '../record/names.ts';
import type { Security } from '../record/security.ts';
import type { TmpfsMount } from '../record/tmpfs.ts';
import type { EndpointRequest } from '../spec/endpoints.ts';

/**
 * Docker's API has it so: times are in nanoseconds, and 0 inherits the image's. An empty test
 * inherits the image's as well, and `NONE` switches the check off.
 */
export type HealthRequest = ImageHealthcheck;

/** A volume that the box mounts; it is made where it is missing. */
export interface VolumeMountRequest extends Omit<VolumeMount, 'name' | 'anonymous'> {
  /** Undefined: an anonymous volume is made for the box. */
  readonly name: string | undefined;
  /** Of a volume that is made. */
  readonly labels: Readonly<Record<string, string>>;
  readonly kind: VolumeKind;
}

/** A box whose mounts the new box has too. */
export interface MountsFrom {
  /** As it was given, with the access. */
  readonly text: string;
  readonly box: string;
  /** Undefined: as that box has each. */
  readonly readonly: boolean | undefined;
}

/** What the caller asks for. What is undefined comes from the image, or from a default. */
export interface CreateRequest {
  readonly name: string | undefined;
  readonly image: string;
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  readonly env: readonly string[];
  readonly cwd: string | undefined;
  readonly user: string | undefined;
  readonly hostname: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly terminal: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly attach: BoxDefinition['attach'];
  readonly size: BoxDefinition['size'];
  readonly stopSignal: string | undefined;
  readonly stopTimeout: number | undefined;
  readonly autoRemove: boolean;
  readonly memoryBytes: number;
  readonly nanoCpus: number;
  readonly limits: Limits;
  readonly security: Security;
  readonly restart: RestartPolicy;
  readonly init: boolean;
  readonly logging: LogSettings;
  /** Changes to the image's health check; undefined: none. */
  readonly health: HealthRequest | undefined;
  readonly network: BoxDefinition['network'];
  /** The main network by its name, where `network` and `endpoints` do not say it. */
  readonly networkMode?: string | undefined;
  /** The hardware address in a network of its own. Undefined: one is made up. */
  readonly mac?: string | undefined;
  /** Further addresses of the card there. */
  readonly ownLinkLocal?: readonly string[] | undefined;
  /** Options for a driver of that network, for `inspect`. */
  readonly ownDriverOptions?: Readonly<Record<string, string>> | undefined;
  /** The user-defined networks, the main one first. */
  readonly endpoints: readonly EndpointRequest[];
  /** Those of the main network, which has them in `endpoints` too, for `inspect`. */
  readonly links?: readonly string[] | undefined;
  /** Links in `bridge`, as they were given. */
  readonly boxLinks?: readonly string[] | undefined;
  readonly names: Names;
  /** Undefined: the box reaches what its host reaches. */
  readonly egress?: RecordedPolicy | undefined;
  /** Secrets that the host puts into requests of the box. */
  readonly egressSecrets?: readonly AskedSecret[] | undefined;
  readonly ports: readonly Port[];
  readonly exposedPorts: readonly string[];
  readonly publishAll: boolean;
  readonly binds: readonly Bind[];
  readonly volumeMounts: readonly VolumeMountRequest[];
  readonly imageMounts: readonly ImageMountRequest[];
  readonly mountsFrom: readonly MountsFrom[];
  readonly tmpfs: readonly TmpfsMount[];
  readonly shmBytes: number | undefined;
  readonly readonlyRootfs: boolean;
  /** The size of the writable layer, and the options as they were given. */
  readonly storage: BoxDefinition['storage'];
  readonly volumeDriver: string | undefined;
  /** Paths of volumes, as the request has them; each has a mount. */
  readonly volumes: readonly string[];
  readonly containerIdFile: string | undefined;
  readonly networkDisabled: BoxDefinition['networkDisabled'];
  readonly shell: BoxDefinition['shell'];
  readonly onBuild: BoxDefinition['onBuild'];
  readonly argsEscaped: BoxDefinition['argsEscaped'];
  /** Undefined: the configured one, or the automatic one. */
  readonly engine?: EngineName | undefined;
  readonly confidential?: ConfidentialRequest | undefined;
}
