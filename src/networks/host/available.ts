/**
 * Whether this host can make user-defined networks.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { findTool, type Tool } from '../../jail/tools.ts';
import type { UserNetworks } from '../network.ts';
import { runProgram } from './run-program.ts';
import { TUN } from './tap.ts';

/** Options of unshare with which its caller is root in what it makes. */
export const NEW_NAMESPACES = ['--user', '--map-root-user', '--mount'] as const;

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

/** What the networks of an ordinary user need besides. */
const ROOTLESS_TOOLS = ['bwrap'] as const;

/** Looks again each time: a package may have been installed since. */
export async function userNetworks(): Promise<UserNetworks> {
  const isRoot = process.geteuid?.() === 0;
  const reason = await obstacle(isRoot ? TOOLS : [...TOOLS, ...ROOTLESS_TOOLS]);
  if (reason !== undefined || isRoot) return { available: reason === undefined, reason };
  const refused = await namespaceRefusal();
  return { available: refused === undefined, reason: refused };
}

/** Why this user cannot be root in namespaces of its own; undefined: it can. */
async function namespaceRefusal(): Promise<string | undefined> {
  try {
    await runProgram('unshare', [...NEW_NAMESPACES, '--net', '--', '/bin/true']);
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `this user can make no namespaces of its own (${why})`;
  }
}

/** Whether others can make networks into which this host puts guests. */
export async function foreignNetworks(): Promise<UserNetworks> {
  const isRoot = process.geteuid?.() === 0;
  const reason = isRoot
    ? await obstacle(NAMESPACE_TOOLS)
    : 'only root’s server makes network namespaces with a tap device';
  return { available: reason === undefined, reason };
}

async function obstacle(tools: readonly Tool[]): Promise<string | undefined> {
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
