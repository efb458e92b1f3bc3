/**
 * The launch spec: what a confidential box is, as its relying parties see it.
 *
 * Its canonical text is what the agent in the guest takes; the guest's HOST_DATA comes from the
 * SHA-256 of those bytes (see `host-data.ts`), so a quote covers every word of it. It names nothing
 * that the host may choose freely: no published ports, host addresses or display names.
 *
 * @module
 */
import * as z from 'zod';
import { absolutePath } from './absolute-path.ts';
import { BoxSpec, ProcessSpec, Resources } from './box-spec.ts';
import { BrokerEndpoint, brokerResource } from './broker.ts';
import { canonicalJson } from './canonical-json.ts';
import { LaunchEgress } from './egress.ts';
import { LaunchConfinement } from './launch-confinement.ts';
import { HostNames, LaunchHosts, LaunchResolver, namesAreFree } from './launch-names.ts';
import { MAX_SEALED_VOLUMES, SealedVolume } from './sealed-volume.ts';
import { shmBytes, Tmpfs } from './tmpfs.ts';

/** The value of `schema` in every document of this version. */
export const LAUNCH_SPEC_SCHEMA = 'a3s-box/launch-spec/v1';

/** No longer text is a launch spec: the agent's own bound, 4 MiB. */
export const MAX_LAUNCH_SPEC = 4 * 1024 * 1024;

/** No box has more cards: they are the functions of one device. */
export const MAX_HOST_NETWORKS = 8;

/**
 * What a host can be permitted. Ending a box, by its stop signal or at once, needs no permission.
 */
export const HOST_PERMISSIONS = ['attach', 'exec', 'files', 'logs', 'signals', 'stats'] as const;
export type HostPermission = (typeof HOST_PERMISSIONS)[number];

/** Which keys a box can have derived for sealing; the later includes the earlier. */
export const SEALING = ['none', 'exact', 'upgradable'] as const;
export type Sealing = (typeof SEALING)[number];

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const Layer = z.strictObject({
  /**
   * Of the uncompressed layer, as the image's configuration has it. Salt of the tree: SHA-256 of
   * this text.
   */
  diffId: digest,
  /** Bytes of the EROFS image, a multiple of 4096; the tree begins there. */
  bytes: z
    .int()
    .min(4096)
    .refine((bytes) => bytes % 4096 === 0, { error: 'must be a multiple of 4096' }),
  /** Root of the dm-verity tree: format 1, SHA-256, blocks of 4096 bytes. */
  root: sha256,
});

/**
 * Settings that a box has for itself: of its network, its IPC and its UTS namespace. All others are
 * those of the guest.
 */
const NAMESPACED =
  /^(net\/|fs\/mqueue\/|kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|domainname)$)/;

/** File name, and last part of the path, of a secret. */
const secretName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);

const Secret = z
  .strictObject({
    name: secretName,
    /**
     * SHA-256 of the SubjectPublicKeyInfo of each key that may inject it, sorted; empty only beside
     * `allowAnyInjector` or `resource`.
     */
    injectors: z.array(sha256).max(64),
    /** Anybody who reaches the box may inject it. */
    allowAnyInjector: z.boolean(),
    /**
     * The path at `broker` from where the agent fetches it; nobody injects it then. Since
     * revision 5.
     */
    resource: brokerResource.optional(),
    /**
     * After how many seconds the agent fetches it again, and again after each of them. Absent: it
     * is fetched once. Since revision 6.
     */
    refresh: z.int().min(10).max(604_800).optional(),
    delivery: z.discriminatedUnion('kind', [
      /** `/run/secrets/NAME`, mode 0400, owned by the user of the main process. */
      z.strictObject({ kind: z.literal('file') }),
      /** A variable of the main process, which has not started yet. */
      z.strictObject({
        kind: z.literal('env'),
        variable: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/),
      }),
    ]),
  })
  .refine(
    ({ injectors, allowAnyInjector, resource }) =>
      [injectors.length > 0, allowAnyInjector, resource !== undefined].filter(Boolean).length === 1,
    { error: 'must name injectors, or allow any, or be fetched, and one of these alone' },
  )
  .refine(
    ({ refresh, resource, delivery }) =>
      refresh === undefined || (resource !== undefined && delivery.kind === 'file'),
    { error: 'must be fetched, and become a file', path: ['refresh'] },
  )
  .refine(({ injectors }) => ascending(injectors), {
    error: 'injectors must be sorted, each once',
  });

/** A path has one spelling here. The root always exists, so it is never listed. */
const directory = absolutePath.refine(
  (path) => path.split('/').every((part, at) => at === 0 || !['', '.', '..'].includes(part)),
  { error: 'must have no empty component, . or ..' },
);

const LaunchSpecFields = z.strictObject({
  schema: z.literal(LAUNCH_SPEC_SCHEMA),
  /**
   * Name of the deployment, by which relying parties distinguish boxes of one image; empty for
   * none.
   */
  deployment: z.string().regex(/^([a-z0-9][a-z0-9._-]{0,62})?$/),
  /** The manifest of the image for this platform, never an index. */
  image: z.strictObject({ manifestDigest: digest }),
  hostname: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,62})$/),
  rootfs: z.strictObject({
    /** Lowest first. The disk of the first has the serial `layer-0`. */
    layers: z.array(Layer).min(1).max(128),
    /**
     * The writable layer: guest memory, or the disk `changes`, encrypted and authenticated under a
     * key that never leaves the guest.
     */
    changes: z.enum(['memory', 'encrypted-disk']),
    /**
     * The size of the file system of the writable layer. The agent makes it no larger, and refuses
     * a disk that has no room for it. Absent: half of the memory, or what the disk has room for.
     * Since revision 11.
     */
    changesBytes: z
      .int()
      .min(32 * 2 ** 20)
      .max(8 * 2 ** 40)
      .optional(),
    readonly: z.boolean(),
  }),
  process: ProcessSpec.omit({ size: true }),
  /** Ends the main process; the host may always send it. */
  stopSignal: z.string().regex(/^SIG[A-Z0-9+-]{1,12}$/),
  /**
   * `nic`: one network card that leads to the host; its address is a constant of the agent, unless
   * `hostNetworks` is there.
   */
  network: z.enum(['none', 'nic']),
  /** The agent makes the kernel's own files read-only whether or not they are listed. */
  confinement: LaunchConfinement,
  /** No core dump leaves the workload's memory in a file. */
  resources: Resources.refine(
    ({ ulimits = [] }) => ulimits.every(({ name, hard }) => name !== 'core' || hard === 0),
    { error: 'core dumps must not be permitted' },
  ),
  /** Runs an init of the agent's as process 1 of the box. Absent is false. */
  init: z.boolean().optional(),
  /**
   * Directories that are made where the image lacks them: of its volumes. Absent is none. Since
   * revision 2: `boot.json` has the revision that its agent reads, and an agent refuses fields that
   * it does not know.
   */
  directories: z
    .array(directory)
    .min(1)
    .max(256)
    .refine((paths) => ascending(paths), { error: 'must be sorted, each once' })
    .optional(),
  /** Filesystems in the guest's memory. Absent is none. Since revision 3. */
  tmpfs: z
    .array(Tmpfs.extend({ destination: directory }))
    .min(1)
    .max(64)
    .refine((list) => ascending(list.map(({ destination }) => destination)), {
      error: 'must be sorted by destination, each once',
    })
    .refine((list) => list.every(({ destination }) => !isKernels(destination)), {
      error: 'must not be in /proc, /sys or /dev, but for /dev/shm',
    })
    .optional(),
  /** Since revision 3. */
  shmBytes,
  /** As in a box spec. Absent is none. Since revision 10. */
  domainname: BoxSpec.shape.domainname,
  /** As in a box spec. Absent is none. Since revision 10. */
  sysctls: BoxSpec.shape.sysctls
    .unwrap()
    .min(1)
    .refine((list) => ascending(list.map(({ path }) => path)), {
      error: 'must be sorted by path, each once',
    })
    .refine((list) => list.every(({ path }) => NAMESPACED.test(path)), {
      error: 'must be settings of a namespace',
    })
    .optional(),
  hostMay: z
    .array(z.enum(HOST_PERMISSIONS))
    .refine((permissions) => ascending(permissions), { error: 'must be sorted, each once' }),
  /** All of them are required, and delivered before the main process starts. */
  secrets: z
    .array(Secret)
    .max(64)
    .refine((secrets) => ascending(secrets.map(({ name }) => name)), {
      error: 'must be sorted by name, each once',
    })
    .refine((secrets) => distinct(secrets.flatMap(variableOf)), {
      error: 'must have a variable of its own each',
    }),
  /** How long the workload waits for its secrets, in seconds; then the guest ends. */
  secretsDeadline: z.int().min(1).max(86_400),
  /**
   * The keys that the agent derives for the workload, and for the holders of the keys in `sealers`:
   * none; those of this launch digest; or also those that a later boot set under the same ID key
   * gets. Other values than `none` since revision 4.
   */
  sealing: z.enum(SEALING),
  /**
   * SHA-256 of the SubjectPublicKeyInfo of each key whose holder may seal and unseal over RA-TLS,
   * sorted. Absent: only the workload may. Since revision 4.
   */
  sealers: z
    .array(sha256)
    .min(1)
    .max(64)
    .refine((keys) => ascending(keys), { error: 'must be sorted, each once' })
    .optional(),
  /** Volumes that outlive the box. Absent is none. Since revision 5. */
  volumes: z
    .array(SealedVolume)
    .min(1)
    .max(MAX_SEALED_VOLUMES)
    .refine((volumes) => ascending(volumes.map(({ name }) => name)), {
      error: 'must be sorted by name, each once',
    })
    .refine((volumes) => distinct(volumes.flatMap(({ counter = [] }) => counter)), {
      error: 'must have a counter of its own each',
    })
    .optional(),
  /**
   * Absent where no secret or key is fetched, no volume counted and no token given. Since revision
   * 5.
   */
  broker: BrokerEndpoint.optional(),
  /**
   * The network policy of the box, as information: the host enforces it, and no guest does. Absent
   * is none. Since revision 7.
   */
  egress: LaunchEgress.optional(),
  /** More lines of `/etc/hosts`. Absent is none. Since revision 12. */
  hosts: LaunchHosts.optional(),
  /** Absent: the DNS server of the host's translator alone. Since revision 12. */
  resolver: LaunchResolver.optional(),
  /**
   * The most cards by which the box is in networks of its host's choice, that of `network` among
   * them: the host chooses their addresses, the way out and the DNS servers. Absent: all of that is
   * a constant of the agent. Since revision 13.
   */
  hostNetworks: z.int().min(1).max(MAX_HOST_NETWORKS).optional(),
  /**
   * Names that the host may give addresses of these networks. Absent is none. Since revision 14.
   */
  hostNames: HostNames.optional(),
});

export const LaunchSpec = LaunchSpecFields.refine(
  ({ sealing, sealers }) => sealing !== 'none' || sealers === undefined,
  { error: 'does not belong to a box that seals nothing', path: ['sealers'] },
)
  .refine(
    ({ volumes = [], tmpfs = [] }) =>
      distinct([...volumes, ...tmpfs].map(({ destination }) => destination)),
    { error: 'must have a place of its own each', path: ['volumes'] },
  )
  .refine(
    ({ broker, secrets, volumes = [] }) =>
      (broker !== undefined) ===
      (broker?.tokens === true ||
        secrets.some(({ resource }) => resource !== undefined) ||
        volumes.some(({ key, counter }) => key !== undefined || counter !== undefined)),
    {
      error:
        'must be there where a secret or a key is fetched, a volume counted or a token given, and only there',
      path: ['broker'],
    },
  )
  .refine(
    ({ confinement, sealing, volumes }) =>
      confinement.privileged !== true || (sealing === 'none' && volumes === undefined),
    {
      // Any privileged box could ask the processor for the keys of any other.
      error: 'does not belong to a box that seals, or has sealed volumes',
      path: ['confinement', 'privileged'],
    },
  )
  .refine(
    ({ rootfs: { changes, changesBytes = 0 }, resources: { memoryBytes = 0 } }) =>
      changes !== 'memory' || changesBytes <= memoryBytes / 2,
    { error: 'must be at most half of resources.memoryBytes', path: ['rootfs', 'changesBytes'] },
  )
  .refine(({ network, egress }) => network !== 'none' || egress === undefined, {
    error: 'does not belong to a box without a network',
    path: ['egress'],
  })
  .refine(({ network, resolver }) => network !== 'none' || resolver === undefined, {
    error: 'does not belong to a box without a network',
    path: ['resolver'],
  })
  .refine(({ network, hostNetworks }) => network !== 'none' || hostNetworks === undefined, {
    error: 'does not belong to a box without a network',
    path: ['hostNetworks'],
  })
  .refine(({ hostNetworks, hostNames }) => hostNetworks !== undefined || hostNames === undefined, {
    error: "does not belong to a box whose networks are not the host's",
    path: ['hostNames'],
  })
  .refine(namesAreFree, {
    error: "must not have a name that is the box's, or in hosts",
    path: ['hostNames'],
  });
/** A validated launch spec. */
export type LaunchSpec = z.infer<typeof LaunchSpec>;

/** The text of a launch spec, whose digest is in HOST_DATA. */
export function launchSpecText(spec: LaunchSpec): string {
  return canonicalJson(spec);
}

/** What the agent mounts in every box; a tmpfs may replace `/dev/shm`. */
function isKernels(path: string): boolean {
  return /^\/(proc|sys|dev)(\/|$)/.test(path) && !/^\/dev\/shm(\/|$)/.test(path);
}

function variableOf({ delivery }: { delivery: { kind: string; variable?: string } }): string[] {
  return delivery.variable === undefined ? [] : [delivery.variable];
}

/** Sorted by UTF-16 units, without a repetition. */
function ascending(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || (values[index - 1] ?? '') < value);
}

function distinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
