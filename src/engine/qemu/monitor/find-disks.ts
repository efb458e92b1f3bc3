/**
 * Asks the VMM which disks of a VM its guest may write to. An adopted VM has no other source for
 * it.
 *
 * @module
 */
import * as z from 'zod';
import { CHANGES_SERIALS, TEMPLATE_SLOTS } from '../../vm/slots.ts';
import type { QmpClient } from './qmp.ts';

const MOST_DEVICES = 128;

const Blocks = z
  .array(
    z.object({
      qdev: z.string().max(256).optional(),
      inserted: z.object({ ro: z.boolean(), 'node-name': z.string().max(64) }).optional(),
    }),
  )
  .max(MOST_DEVICES);

export interface FoundDisks {
  /** Whether the VM came from a template. */
  readonly templated: boolean;
  /** Undefined where it has none. */
  readonly changes: FoundChanges | undefined;
}

export interface FoundChanges {
  readonly serial: (typeof CHANGES_SERIALS)[number];
  /** Path of the device. */
  readonly device: string;
  /** Name of the image's block node, as it is now. */
  readonly node: string;
}

export async function findDisks(monitor: Pick<QmpClient, 'execute'>): Promise<FoundDisks> {
  const blocks = await monitor.execute('query-block', {}, Blocks);
  const templated = blocks.some(({ qdev }) => qdev?.includes(`/${TEMPLATE_SLOTS.layers[0]}/`));
  const bySerial = new Map<string, { device: string; node: string }>();
  for (const { qdev, inserted } of blocks) {
    if (qdev === undefined || inserted === undefined || inserted.ro) continue;
    const asked = { path: qdev, property: 'serial' };
    const serial = await monitor.execute('qom-get', asked, z.string().max(64));
    bySerial.set(serial, { device: qdev, node: inserted['node-name'] });
  }
  const [changes] = CHANGES_SERIALS.flatMap((serial) => {
    const found = bySerial.get(serial);
    return found === undefined ? [] : [{ serial, ...found }];
  });
  return { templated, changes };
}
