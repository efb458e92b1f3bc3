/**
 * The guest's console, a ring buffer in the VMM.
 *
 * @module
 */
import * as z from 'zod';
import { CONSOLE, CONSOLE_BYTES } from '../command-line/arguments.ts';
import type { QmpClient } from './qmp.ts';

/**
 * Reads the ring and leaves its content in place: a read empties the ring, so the content is
 * written back.
 */
export async function readConsole(monitor: QmpClient): Promise<Buffer> {
  const ring = { device: CONSOLE, format: 'base64' };
  const data = await monitor.execute('ringbuf-read', { ...ring, size: CONSOLE_BYTES }, z.base64());
  if (data !== '') await monitor.execute('ringbuf-write', { ...ring, data }, z.unknown());
  return Buffer.from(data, 'base64').subarray(-CONSOLE_BYTES);
}
