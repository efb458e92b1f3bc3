/**
 * Every command by name.
 *
 * @module
 */

import { type Entries, entry, type Group } from '../command-entry.ts';
import { BOX_COMMANDS, boxes } from './boxes.ts';
import { broker } from './broker.ts';
import { builders } from './builders.ts';
import { attest, boots, CONFIDENTIAL_COMMANDS, pods, policy } from './confidential.ts';
import { IMAGE_COMMANDS, image, trust } from './images.ts';
import { networks } from './networks.ts';
import { SYSTEM_COMMANDS, system } from './system.ts';
import { volumes } from './volumes.ts';
import { pools, snapshots, templates } from './warm-starts.ts';

/** The everyday commands, which the help shows first. */
const { run, exec, ps, ...boxCommands } = BOX_COMMANDS;
const { pull, push, images, login, logout, ...imageCommands } = IMAGE_COMMANDS;
const { version, info, ...systemCommands } = SYSTEM_COMMANDS;

export const COMMON_COMMANDS: Entries = {
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
};

/** Of all commands, itself among them. */
const completion = entry('Print a script that completes commands in a shell', async () => {
  const { completionOf } = await import('../commands/system/completion.ts');
  return completionOf(COMMANDS, GROUPS);
});

export const OTHER_COMMANDS: Entries = byName({
  ...boxCommands,
  ...imageCommands,
  ...CONFIDENTIAL_COMMANDS,
  ...systemCommands,
  completion,
});

export const COMMANDS: Entries = { ...COMMON_COMMANDS, ...OTHER_COMMANDS };

/**
 * Docker's management forms, `container run`, `image ls`, and commands that Docker does not have.
 */
export const GROUPS: Readonly<Record<string, Group>> = {
  attest,
  boot: boots,
  box: boxes,
  builder: builders,
  broker,
  container: boxes,
  image,
  network: networks,
  pod: pods,
  policy,
  pool: pools,
  snapshot: snapshots,
  system,
  template: templates,
  trust,
  volume: volumes,
};

function byName(entries: Entries): Entries {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
}
