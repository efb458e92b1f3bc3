/**
 * The commands of the installation itself.
 *
 * @module
 */
import { entry, type Group } from '../command-entry.ts';

const build = entry(
  'Build an image',
  async () => (await import('../commands/docker/build.ts')).build,
);
const buildx = entry(
  'Run docker buildx with the builder of this installation',
  async () => (await import('../commands/docker/build.ts')).buildx,
);
const compose = entry(
  'Run docker compose with the boxes of this installation',
  async () => (await import('../commands/docker/compose.ts')).compose,
);
const doctor = entry(
  'Test what runs on this host, and report what is wrong',
  async () => (await import('../commands/system/doctor.ts')).doctor,
);
const events = entry(
  'Get real time events from the server',
  async () => (await import('../commands/system/events.ts')).events,
);
const info = entry(
  'Display what this installation is, and what its host can do',
  async () => (await import('../commands/system/info.ts')).info,
);
const inspect = entry(
  'Return low-level information on boxes, images and volumes',
  async () => (await import('../commands/system/inspect.ts')).inspect,
);
const serve = entry(
  'Run the control server in the foreground',
  async () => (await import('../commands/system/serve.ts')).serve,
);
const version = entry(
  'Show the A3S Box version information',
  async () => (await import('../commands/system/version.ts')).version,
);

export const SYSTEM_COMMANDS = {
  build,
  buildx,
  compose,
  doctor,
  events,
  info,
  inspect,
  serve,
  version,
};

export const system: Group = {
  summary: 'Manage A3S Box',
  commands: {
    df: entry(
      'Show disk usage of images, boxes and volumes',
      async () => (await import('../commands/system/df.ts')).df,
    ),
    events,
    info,
    prune: entry(
      'Remove unused data',
      async () => (await import('../commands/system/prune-system.ts')).pruneSystem,
    ),
  },
};

/** A command for the scripts of `completion` alone; no help shows it. */
export const HIDDEN_COMMANDS = {
  __complete: entry(
    'Print names that complete an operand',
    async () => (await import('../commands/system/complete.ts')).complete,
  ),
};
