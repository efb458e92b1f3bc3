/**
 * Whether this host can make user-defined networks.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { findTool, type Tool } from '../../jail/tools.ts';
import type { UserNetworks } from '../network.ts';
import { TUN } from './tap.ts';

const TOOLS = [
  'ip',
  'nft',
  'nsenter',
  'prlimit',
  'setpriv',
  'unshare',
  'umount',
  'pasta',
  'netavark',
  'aardvark-dns',
] as const;

/** What it takes to lead from a namespace to a guest. */
const NAMESPACE_TOOLS = ['ip', 'nft', 'nsenter', 'unshare', 'umount'] as const;

/** Looks again each time: a package may have been installed since. */
export async function userNetworks(): Promise<UserNetworks> {
  const reason = await obstacle(TOOLS);
  return { available: reason === undefined, reason };
}

/** Whether others can make networks into which this host puts guests. */
export async function foreignNetworks(): Promise<UserNetworks> {
  const reason = await obstacle(NAMESPACE_TOOLS);
  return { available: reason === undefined, reason };
}

async function obstacle(tools: readonly Tool[]): Promise<string | undefined> {
  if (process.geteuid?.() !== 0)
    return 'only root’s server makes network namespaces with a tap device';
  for (const tool of tools) {
    try {
      await findTool(tool);
    } catch (error) {
      if (!(error instanceof A3sError)) throw error;
      return `${error.message}. ${error.remedy ?? ''}`.trim();
    }
  }
  try {
    await (await open(TUN, 'r+')).close();
    return undefined;
  } catch (error) {
    return `${TUN} cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
  }
}
