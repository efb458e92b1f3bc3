/**
 * Gives a VM that runs more RAM. A VM from a template has one place for it.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { growthPiece } from '../command-line/growth-piece.ts';
import { executeAll } from './execute-all.ts';
import type { QmpClient } from './qmp.ts';
import { vmSize } from './size.ts';

const Blocks = z.array(z.object({ id: z.string().optional(), share: z.boolean() }));
const Devices = z.array(z.object({ data: z.object({ id: z.string().optional() }) }));

/**
 * @param memoryBytes that it has afterwards at least
 * @throws A3sError `conflict` where it has no place for more, `out-of-memory` where it is more than
 * the VM can have
 */
export async function growMemory(
  monitor: Pick<QmpClient, 'execute'>,
  memoryBytes: number,
): Promise<void> {
  const has = (await vmSize(monitor)).memoryBytes;
  if (memoryBytes <= has) return;
  const devices = await monitor.execute('query-memory-devices', {}, Devices);
  if (devices.length > 0) throw full('has been given more once');
  const blocks = await monitor.execute('query-memdev', {}, Blocks);
  // What file servers map is shared, and so is all of it.
  const shared = blocks.some(({ share }) => share);
  const [block, device] = growthPiece(memoryBytes - has, shared);
  await executeAll(monitor, [block]);
  try {
    await executeAll(monitor, [device]);
  } catch (error) {
    await executeAll(monitor, [['object-del', { id: block[1]['id'] }]]);
    throw explain(error);
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof A3sError)) return error;
  if (/memory hotplug is not enabled|no slots|maxmem/i.test(error.message)) {
    return full('was booted without a template');
  }
  if (/not enough space/i.test(error.message)) {
    return new A3sError('out-of-memory', 'Cannot give a microVM more memory than its host has', {
      cause: error,
    });
  }
  return error;
}

function full(why: string): A3sError {
  return new A3sError('conflict', `Cannot give the microVM more memory while it runs: it ${why}`);
}
