/**
 * How well this host can confine helper programs.
 *
 * @module
 */
import { cellWalls } from './spawn.ts';

/** One wall, and why it is missing. */
export interface CellReport {
  readonly name: 'identity' | 'namespaces';
  readonly available: boolean;
  readonly reason: string | undefined;
}

/** Nothing starts where neither is available, unless the user accepts that. */
export async function reportCell(): Promise<readonly CellReport[]> {
  const { identity, namespaces, reason } = await cellWalls();
  return [
    {
      name: 'identity',
      available: identity,
      reason: identity ? undefined : 'only root can give a process a user id of its own',
    },
    { name: 'namespaces', available: namespaces, reason },
  ];
}
