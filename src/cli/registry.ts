/**
 * Every command by name. A command's module is loaded only when it is called.
 *
 * @module
 */
import type { Command } from './command.ts';

export interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Exit status of what decides nothing, since 1 says that evidence is rejected. */
const UNUSABLE = 2;

type Entries = Readonly<Record<string, Entry>>;

const entry = (summary: string, load: () => Promise<Command>): Entry => ({ summary, load });

const attach = entry(
  'Attach local standard input, output, and error streams to a running box',
  async () => (await import('./commands/attach.ts')).attach,
);
const create = entry('Create a new box', async () => (await import('./commands/create.ts')).create);
const events = entry(
  'Get real time events from the server',
  async () => (await import('./commands/events.ts')).events,
);
const exec = entry(
  'Execute a command in a running box',
  async () => (await import('./commands/exec.ts')).exec,
);
const images = entry('List images', async () => (await import('./commands/images.ts')).images);
const history = entry(
  'Show the history of an image',
  async () => (await import('./commands/history.ts')).history,
);
const importImage = entry(
  'Import the contents from a tarball to create a filesystem image',
  async () => (await import('./commands/import.ts')).importImage,
);
const info = entry(
  'Display what this installation is, and what its host can do',
  async () => (await import('./commands/info.ts')).info,
);
const inspect = entry(
  'Return low-level information on boxes and images',
  async () => (await import('./commands/inspect.ts')).inspect,
);
const inspectContainer = entry(
  'Display detailed information on one or more boxes',
  async () => (await import('./commands/inspect.ts')).inspectContainer,
);
const inspectImage = entry(
  'Display detailed information on one or more images',
  async () => (await import('./commands/inspect.ts')).inspectImage,
);
const kill = entry(
  'Kill one or more running boxes',
  async () => (await import('./commands/kill.ts')).kill,
);
const load = entry(
  'Load an image from a tar archive, an OCI layout directory, or STDIN',
  async () => (await import('./commands/load.ts')).load,
);
const login = entry(
  'Log in to a registry',
  async () => (await import('./commands/login.ts')).login,
);
const logout = entry(
  'Log out from a registry',
  async () => (await import('./commands/logout.ts')).logout,
);
const logs = entry(
  'Fetch the logs of a box',
  async () => (await import('./commands/logs.ts')).logs,
);
const measure = entry(
  'Compute what a confidential box will be, and the policy that accepts it',
  async () => (await import('./commands/measure.ts')).measure,
);
const ps = entry('List boxes', async () => (await import('./commands/ps.ts')).ps);
const pruneImages = entry(
  'Remove unused images',
  async () => (await import('./commands/prune-images.ts')).pruneImages,
);
const pull = entry(
  'Download an image from a registry',
  async () => (await import('./commands/pull.ts')).pull,
);
const push = entry(
  'Upload an image to a registry',
  async () => (await import('./commands/push.ts')).push,
);
const rm = entry('Remove one or more boxes', async () => (await import('./commands/rm.ts')).rm);
const rmi = entry('Remove one or more images', async () => (await import('./commands/rmi.ts')).rmi);
const run = entry(
  'Create and run a new box from an image',
  async () => (await import('./commands/run.ts')).run,
);
const save = entry(
  'Save one or more images to a tar archive (streamed to STDOUT by default)',
  async () => (await import('./commands/save.ts')).save,
);
const serve = entry(
  'Run the control server in the foreground',
  async () => (await import('./commands/serve.ts')).serve,
);
const start = entry(
  'Start one or more stopped boxes',
  async () => (await import('./commands/start.ts')).start,
);
const stop = entry(
  'Stop one or more running boxes',
  async () => (await import('./commands/stop.ts')).stop,
);
const tag = entry(
  'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  async () => (await import('./commands/tag.ts')).tag,
);
const version = entry(
  'Show the A3S Box version information',
  async () => (await import('./commands/version.ts')).version,
);
const wait = entry(
  'Block until one or more boxes stop, then print their exit codes',
  async () => (await import('./commands/wait.ts')).wait,
);

const injectSecret = entry(
  'Deliver secrets into a confidential box that is verified',
  async () => (await import('./commands/inject-secret.ts')).injectSecret,
);

/** In the order in which the help shows them. */
export const COMMANDS: Entries = {
  run,
  exec,
  ps,
  pull,
  push,
  images,
  login,
  logout,
  version,
  info,
  attach,
  create,
  events,
  history,
  import: importImage,
  'inject-secret': injectSecret,
  inspect,
  kill,
  load,
  logs,
  measure,
  rm,
  rmi,
  save,
  serve,
  start,
  stop,
  tag,
  wait,
};

export interface Group {
  readonly summary: string;
  /** Exit status for a command line that cannot be used, where it is not Docker's. */
  readonly usageStatus?: number;
  readonly commands: Entries;
}

const boxes: Group = {
  summary: 'Manage boxes',
  commands: {
    attach,
    create,
    exec,
    inspect: inspectContainer,
    kill,
    logs,
    ls: ps,
    list: ps,
    ps,
    rm,
    remove: rm,
    run,
    start,
    stop,
    wait,
  },
};

const attest: Group = {
  summary: 'Verify, measure and explain SEV-SNP attestation evidence',
  usageStatus: UNUSABLE,
  commands: {
    verify: entry(
      'Verify evidence and hold it against a policy',
      async () => (await import('./commands/attest/verify.ts')).verify,
    ),
    box: entry(
      'Challenge a confidential box and hold its evidence against a policy',
      async () => (await import('./commands/attest/box.ts')).attestBox,
    ),
    show: entry(
      'Display what a report claims, without verifying it',
      async () => (await import('./commands/attest/show.ts')).show,
    ),
    measure: entry(
      'Compute the launch digest of a guest',
      async () => (await import('./commands/attest/measure.ts')).measure,
    ),
    explain: entry(
      'Find out why a launch digest is not the one that was computed',
      async () => (await import('./commands/attest/explain.ts')).explain,
    ),
    'fetch-certs': entry(
      'Get certificates and revocation lists of AMD into the cache',
      async () => (await import('./commands/attest/fetch-certs.ts')).fetchCerts,
    ),
  },
};

const policy: Group = {
  summary: 'Check attestation policies',
  usageStatus: UNUSABLE,
  commands: {
    check: entry(
      'Check an attestation policy and display what it means',
      async () => (await import('./commands/policy/check.ts')).check,
    ),
  },
};

const templateLs = entry(
  'List templates',
  async () => (await import('./commands/template/ls.ts')).listTemplates,
);
const templateRm = entry(
  'Remove one or more templates',
  async () => (await import('./commands/template/rm.ts')).removeTemplates,
);

const poolLs = entry('List pools', async () => (await import('./commands/pool/ls.ts')).listPools);
const poolRm = entry(
  'Remove one or more pools',
  async () => (await import('./commands/pool/rm.ts')).removePools,
);

const pools: Group = {
  summary: 'Manage pools, machines that wait for boxes',
  commands: {
    inspect: entry(
      'Display detailed information on one or more pools',
      async () => (await import('./commands/pool/inspect.ts')).inspectPool,
    ),
    ls: poolLs,
    list: poolLs,
    rm: poolRm,
    remove: poolRm,
    set: entry(
      'Make a pool, or change it',
      async () => (await import('./commands/pool/set.ts')).setPool,
    ),
  },
};

const snapshotLs = entry(
  'List memory snapshots',
  async () => (await import('./commands/snapshot/ls.ts')).listSnapshots,
);
const snapshotRm = entry(
  'Remove one or more memory snapshots',
  async () => (await import('./commands/snapshot/rm.ts')).removeSnapshots,
);

const snapshots: Group = {
  summary: 'Manage memory snapshots of running boxes',
  commands: {
    create: entry(
      'Make a snapshot of a running box',
      async () => (await import('./commands/snapshot/create.ts')).createSnapshot,
    ),
    inspect: entry(
      'Display detailed information on one or more memory snapshots',
      async () => (await import('./commands/snapshot/inspect.ts')).inspectSnapshot,
    ),
    ls: snapshotLs,
    list: snapshotLs,
    rm: snapshotRm,
    remove: snapshotRm,
  },
};

const templates: Group = {
  summary: 'Manage templates, which boxes start warm from',
  commands: {
    inspect: entry(
      'Display detailed information on one or more templates',
      async () => (await import('./commands/template/inspect.ts')).inspectTemplate,
    ),
    ls: templateLs,
    list: templateLs,
    prune: entry(
      'Remove all templates that no running box uses',
      async () => (await import('./commands/template/prune.ts')).pruneTemplates,
    ),
    rm: templateRm,
    remove: templateRm,
    warm: entry(
      'Make the templates that are missing, and wait for them',
      async () => (await import('./commands/template/warm.ts')).warmTemplates,
    ),
  },
};

const bootLs = entry(
  'List boot sets',
  async () => (await import('./commands/boot/ls.ts')).listBoots,
);
const bootRm = entry(
  'Remove one or more imported boot sets',
  async () => (await import('./commands/boot/rm.ts')).removeBoots,
);

const boots: Group = {
  summary: 'Manage boot sets: firmware, kernel and initrd that boxes boot from',
  commands: {
    export: entry(
      'Write a boot set to a tar archive',
      async () => (await import('./commands/boot/export.ts')).exportBoot,
    ),
    import: entry(
      'Take in a boot set from an archive or a directory',
      async () => (await import('./commands/boot/import.ts')).importBoot,
    ),
    inspect: entry(
      'Display what one or more boot sets are made of',
      async () => (await import('./commands/boot/inspect.ts')).inspectBoot,
    ),
    ls: bootLs,
    list: bootLs,
    rm: bootRm,
    remove: bootRm,
    sign: entry(
      'Sign the ID block of a boot set',
      async () => (await import('./commands/boot/sign.ts')).signBoot,
    ),
  },
};

/** Docker's management forms, `container run`, `image ls`, and what Docker has no word for. */
export const GROUPS: Readonly<Record<string, Group>> = {
  attest,
  boot: boots,
  box: boxes,
  container: boxes,
  image: {
    summary: 'Manage images',
    commands: {
      history,
      import: importImage,
      inspect: inspectImage,
      load,
      ls: images,
      list: images,
      prune: pruneImages,
      pull,
      push,
      rm: rmi,
      remove: rmi,
      save,
      tag,
      verify: entry(
        'Hold an image against the image policy',
        async () => (await import('./commands/image-verify.ts')).verifyImage,
      ),
      sign: entry(
        'Sign an image with a private key',
        async () => (await import('./commands/image-sign.ts')).signImage,
      ),
      attest: entry(
        'Sign a statement about an image with a private key',
        async () => (await import('./commands/image-attest.ts')).attestImage,
      ),
      attestations: entry(
        'List the attestations of an image, without trusting them',
        async () => (await import('./commands/image-attestations.ts')).listAttestations,
      ),
    },
  },
  policy,
  pool: pools,
  snapshot: snapshots,
  system: {
    summary: 'Manage A3S Box',
    commands: {
      df: entry(
        'Show disk usage of images and boxes',
        async () => (await import('./commands/df.ts')).df,
      ),
      events,
      info,
    },
  },
  template: templates,
  trust: {
    summary: 'Explain which images are trusted',
    usageStatus: UNUSABLE,
    commands: {
      explain: entry(
        'Explain what the image policy makes of an image',
        async () => (await import('./commands/trust-explain.ts')).explainTrust,
      ),
    },
  },
};
