/**
 * The commands of boxes.
 *
 * @module
 */
import { entry, type Group } from '../command-entry.ts';

const attach = entry(
  'Attach local standard input, output, and error streams to a running box',
  async () => (await import('../commands/box/output/attach.ts')).attach,
);
const commit = entry(
  "Create a new image from a box's changes",
  async () => (await import('../commands/box/files/commit.ts')).commit,
);
const cp = entry(
  'Copy files between a box and this host',
  async () => (await import('../commands/box/files/cp.ts')).cp,
);
const create = entry(
  'Create a new box',
  async () => (await import('../commands/box/create.ts')).create,
);
const diff = entry(
  'List the files of a box that differ from its image',
  async () => (await import('../commands/box/files/diff.ts')).diff,
);
const exec = entry(
  'Execute a command in a running box',
  async () => (await import('../commands/box/processes/exec.ts')).exec,
);
const exportBox = entry(
  'Write the files of a box as a tar archive',
  async () => (await import('../commands/box/files/export.ts')).exportBox,
);
const inspectContainer = entry(
  'Display detailed information on one or more boxes',
  async () => (await import('../commands/system/inspect.ts')).inspectContainer,
);
const kill = entry(
  'Kill one or more running boxes',
  async () => (await import('../commands/box/run/kill.ts')).kill,
);
const logs = entry(
  'Fetch the logs of a box',
  async () => (await import('../commands/box/output/logs.ts')).logs,
);
const pause = entry(
  'Pause all processes within one or more boxes',
  async () => (await import('../commands/box/run/pause.ts')).pause,
);
const port = entry(
  'List port mappings or a specific mapping for the box',
  async () => (await import('../commands/box/inspect/port.ts')).port,
);
const prune = entry(
  'Remove all stopped boxes',
  async () => (await import('../commands/box/prune.ts')).pruneBoxes,
);
const ps = entry('List boxes', async () => (await import('../commands/box/inspect/ps.ts')).ps);
const rename = entry(
  'Rename a box',
  async () => (await import('../commands/box/rename.ts')).rename,
);
const restart = entry(
  'Restart one or more boxes',
  async () => (await import('../commands/box/run/restart.ts')).restart,
);
const rm = entry(
  'Remove one or more boxes',
  async () => (await import('../commands/box/remove.ts')).rm,
);
const run = entry(
  'Create and run a new box from an image',
  async () => (await import('../commands/box/run/run.ts')).run,
);
const shell = entry(
  'Open a shell in a running box',
  async () => (await import('../commands/box/processes/shell.ts')).shell,
);
const start = entry(
  'Start one or more stopped boxes',
  async () => (await import('../commands/box/run/start.ts')).start,
);
const stats = entry(
  "Display a live stream of boxes' resource usage statistics",
  async () => (await import('../commands/box/inspect/stats.ts')).stats,
);
const stop = entry(
  'Stop one or more running boxes',
  async () => (await import('../commands/box/run/stop.ts')).stop,
);
const top = entry(
  'Display the running processes of a box',
  async () => (await import('../commands/box/processes/top.ts')).top,
);
const unpause = entry(
  'Unpause all processes within one or more boxes',
  async () => (await import('../commands/box/run/pause.ts')).unpause,
);
const update = entry(
  'Update configuration of one or more boxes',
  async () => (await import('../commands/box/update.ts')).update,
);
const wait = entry(
  'Block until one or more boxes stop, then print their exit codes',
  async () => (await import('../commands/box/run/wait.ts')).wait,
);

/** Commands that also exist at the top level. */
export const BOX_COMMANDS = {
  attach,
  commit,
  cp,
  create,
  diff,
  exec,
  export: exportBox,
  kill,
  logs,
  pause,
  port,
  ps,
  rename,
  restart,
  rm,
  run,
  shell,
  start,
  stats,
  stop,
  top,
  unpause,
  update,
  wait,
};

/** Docker's `container`, which is `box` as well. */
export const boxes: Group = {
  summary: 'Manage boxes',
  commands: {
    attach,
    commit,
    cp,
    create,
    diff,
    exec,
    export: exportBox,
    inspect: inspectContainer,
    kill,
    logs,
    ls: ps,
    list: ps,
    pause,
    port,
    prune,
    ps,
    rename,
    restart,
    rm,
    remove: rm,
    run,
    shell,
    start,
    stats,
    stop,
    top,
    unpause,
    update,
    wait,
  },
};
