/**
 * The templates of a home, wired to its boxes.
 *
 * @module
 */
import { join } from 'node:path';
import type { Box } from '../../boxes/record/box.ts';
import { mayHaveVm } from '../../boxes/record/states.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import type { Config } from '../../config.ts';
import { makeDirectories } from '../../make-directories.ts';
import { TemplateStore } from '../../templates/store.ts';
import { NoTemplates, type Templates } from '../../templates/templates.ts';

/** The share of the host's memory for loaded templates. Memory that boxes share is counted once. */
const MEMORY_SHARE = 0.25;

type Around = Pick<
  Runtime,
  | 'home'
  | 'runtimeDir'
  | 'startTimeoutMs'
  | 'host'
  | 'store'
  | 'pods'
  | 'events'
  | 'boot'
  | 'engine'
  | 'log'
> &
  Pick<Runtime, 'locks'>;

/**
 * Opens the templates, and ends the builds of an earlier server. Where that fails, every box boots
 * without a template, and the log has the reason.
 */
export async function openTemplates(config: Config, around: Around): Promise<Templates> {
  const { enabled, max, maxAgeMs } = config.templates;
  const { runtimeDir, engine, boot, log, store, pods, locks, events } = around;
  const directory = join(around.home, 'templates');
  const templates = new TemplateStore({
    ...{ directory, runtimeDir, engine, boot, log },
    bootMs: around.startTimeoutMs,
    limits: { max, maxAgeMs, memoryBytes: around.host.memoryBytes * MEMORY_SHARE },
    inUse: () => new Set([...store.list().flatMap(sourcesOf), ...pods.templateKeys()]),
    pinned: () => [...store.list().map(({ definition }) => definition.bootSet), ...pods.bootSets()],
    quiet: () => locks.idle(),
    tell: (action, key, attributes) => events.publish('template', action, key, attributes),
  });
  try {
    await makeDirectories(directory, 0o700);
    await templates.open();
  } catch (error) {
    log.error('templates cannot be used; every boot goes cold', error);
    return new NoTemplates();
  }
  // Done even where templates are off: the builds of the previous server have to be removed.
  return enabled ? templates : new NoTemplates();
}

/** The key of the template whose memory the microVM of a running box shares. */
function sourcesOf({ state: { status, machine } }: Box): string[] {
  if (!mayHaveVm(status) || machine?.source === undefined || machine.start === 'snapshot')
    return [];
  return [machine.source];
}
