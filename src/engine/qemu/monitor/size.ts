/**
 * Asks the VMM how large a VM is.
 *
 * @module
 */
import * as z from 'zod';
import type { VmSize } from '../../vm/vm.ts';
import type { QmpClient } from './qmp.ts';

const Memory = z.object({
  'base-memory': z.int().min(0),
  'plugged-memory': z.int().min(0).optional(),
});
const Processors = z.array(z.object({ 'cpu-index': z.int() })).max(4096);

export async function vmSize(monitor: Pick<QmpClient, 'execute'>): Promise<VmSize> {
  const memory = await monitor.execute('query-memory-size-summary', {}, Memory);
  const processors = await monitor.execute('query-cpus-fast', {}, Processors);
  return {
    cpus: processors.length,
    memoryBytes: memory['base-memory'] + (memory['plugged-memory'] ?? 0),
  };
}
