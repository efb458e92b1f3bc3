/**
 * Runs the plugins of a network one after the other (SPEC.md, section 3).
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { NetworkList, Plugin } from './config.ts';
import { type CniCommand, type CniTarget, pluginFailed, runPlugin } from './plugin.ts';
import { CniResult } from './result.ts';

/** A network, with what this run of it is about. */
export interface Chain {
  /** Of the plugins. */
  readonly directory: string;
  readonly list: NetworkList;
  /** By the capability of a plugin that takes it. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** @returns what the last plugin answered */
export async function addToNetwork(chain: Chain, target: CniTarget): Promise<CniResult> {
  let result: unknown;
  for (const plugin of chain.list.plugins) {
    const { directory } = chain;
    const { type } = plugin;
    const config = configOf(chain, plugin, result);
    const out = await runPlugin({ command: 'ADD', directory, type, target, config });
    result = parseResult(type, out);
  }
  return CniResult.parse(result);
}

/**
 * All plugins are run, whatever one of them does: each frees what it has.
 *
 * @param result what ADD returned; undefined: it did not return
 * @throws A3sError `network-failed` with what failed first
 */
export async function removeFromNetwork(
  chain: Chain,
  target: CniTarget,
  result: CniResult | undefined,
): Promise<void> {
  let failure: unknown;
  for (const { type, ...plugin } of [...chain.list.plugins].reverse()) {
    const { directory } = chain;
    const config = configOf(chain, { type, ...plugin }, isOld(chain.list) ? undefined : result);
    try {
      await runPlugin({ command: 'DEL', directory, type, target, config });
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

/** @throws A3sError `network-failed` where the pod is not in the network as ADD has put it there */
export async function checkInNetwork(
  chain: Chain,
  target: CniTarget,
  result: CniResult,
): Promise<void> {
  if (isOld(chain.list) || chain.list.disableCheck === true) return;
  await eachPlugin(chain, 'CHECK', target, (plugin) => configOf(chain, plugin, result));
}

/** Has the plugins free what pods have left that are not among these. */
export async function collectGarbage(
  chain: Chain,
  kept: readonly Pick<CniTarget, 'container' | 'device'>[],
): Promise<void> {
  if (!hasStatus(chain.list) || chain.list.disableGC === true) return;
  const attachments = kept.map(({ container, device }) => ({
    containerID: container,
    ifname: device,
  }));
  await eachPlugin(chain, 'GC', undefined, (plugin) => ({
    ...configOf(chain, plugin, undefined),
    'cni.dev/valid-attachments': attachments,
  }));
}

/** @throws A3sError `network-failed` where a plugin says that it cannot take pods now */
export async function networkStatus(chain: Chain): Promise<void> {
  if (!hasStatus(chain.list)) return;
  await eachPlugin(chain, 'STATUS', undefined, (plugin) => configOf(chain, plugin, undefined));
}

/** @throws A3sError `unsupported-option` where no plugin publishes ports */
export function expectPorts({ list }: Pick<Chain, 'list'>): void {
  if (list.plugins.some(({ capabilities }) => capabilities?.['portMappings'] === true)) return;
  throw new A3sError(
    'unsupported-option',
    `The network ${list.name} publishes no ports: none of its plugins has the capability portMappings`,
    { remedy: 'Add the plugin portmap to its configuration, or run the pod without a host port.' },
  );
}

async function eachPlugin(
  { directory, list }: Chain,
  command: CniCommand,
  target: CniTarget | undefined,
  configFor: (plugin: Plugin) => unknown,
): Promise<void> {
  for (const plugin of list.plugins) {
    const { type } = plugin;
    const call = { command, directory, type, config: configFor(plugin) };
    await runPlugin(target === undefined ? call : { ...call, target });
  }
}

function configOf({ list, capabilities }: Chain, plugin: Plugin, result: unknown) {
  const taken = Object.entries(capabilities).filter(
    ([name]) => plugin.capabilities?.[name] === true,
  );
  return {
    ...plugin,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(taken.length === 0 ? {} : { runtimeConfig: Object.fromEntries(taken) }),
    ...(result === undefined ? {} : { prevResult: result }),
  };
}

function parseResult(type: string, out: string): CniResult {
  try {
    return CniResult.parse(JSON.parse(out));
  } catch (cause) {
    throw pluginFailed({ command: 'ADD', type }, 'its answer is no result of CNI', cause);
  }
}

/** Before 0.4.0 there is no CHECK, and DEL has no result. */
function isOld({ cniVersion }: NetworkList): boolean {
  return cniVersion.startsWith('0.3.');
}

/** GC and STATUS came with 1.1.0. */
function hasStatus({ cniVersion }: NetworkList): boolean {
  return cniVersion === '1.1.0';
}
