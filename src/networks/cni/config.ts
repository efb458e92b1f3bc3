/**
 * The network that pods are put into, as the administrator of the node has configured it for CNI
 * (containernetworking/cni, SPEC.md, section 1).
 *
 * @module
 */
import { constants } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';

/** The versions of the specification whose results have a list of addresses. */
const VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
const ENDINGS = /\.(?:conf|conflist|json)$/;
/** It becomes the name of a program: no path leads out of the directory. */
const TYPE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

const Plugin = z.looseObject({
  type: z.string().regex(TYPE),
  capabilities: z.record(z.string(), z.boolean()).optional(),
});
/** One plugin of a network, with all that it reads for itself. */
export type Plugin = z.infer<typeof Plugin>;

export const NetworkList = z.looseObject({
  cniVersion: z.enum(VERSIONS),
  name: z.string().regex(NAME),
  plugins: z.array(Plugin).min(1).max(32),
  disableCheck: z.boolean().optional(),
  disableGC: z.boolean().optional(),
});
/** A network: plugins that are run one after the other. */
export type NetworkList = z.infer<typeof NetworkList>;

/** Where a node has its configuration, and its plugins. */
export interface CniDirectories {
  readonly config: string;
  readonly plugins: string;
}

/**
 * Reads the first file of the directory, by name, as other runtimes do.
 *
 * @returns undefined where there is none
 * @throws A3sError `network-unavailable` for a file that is no configuration, and for a plugin that
 * is not there
 */
export async function readNetworkList({
  config,
  plugins,
}: CniDirectories): Promise<NetworkList | undefined> {
  const [file] = (await filesOf(config)).filter((name) => ENDINGS.test(name)).sort();
  if (file === undefined) return undefined;
  const path = join(config, file);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw unusable(path, 'it cannot be read', cause);
  });
  const list = parse(path, text);
  for (const { type } of list.plugins) {
    await access(join(plugins, type), constants.X_OK).catch((cause: unknown) => {
      throw unusable(path, `the plugin ${type} is not in ${plugins}`, cause);
    });
  }
  return list;
}

async function filesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function parse(path: string, text: string): NetworkList {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw unusable(path, 'it is not JSON', cause);
  }
  const result = NetworkList.safeParse(asList(document));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw unusable(path, `${issue?.path.join('.')}: ${issue?.message}`, result.error);
}

/** A file may have one plugin alone, which names the network as well. */
function asList(document: unknown): unknown {
  const single = z.looseObject({}).safeParse(document);
  if (!single.success || 'plugins' in single.data) return document;
  const { cniVersion, name, ...plugin } = single.data;
  return { cniVersion, name, plugins: [plugin] };
}

function unusable(path: string, reason: string, cause: unknown): A3sError {
  return new A3sError('network-unavailable', `Cannot use the network of ${path}: ${reason}`, {
    remedy: 'Correct the file, or install the plugin: apt-get install containernetworking-plugins.',
    cause,
  });
}
