/**
 * A signed ID block in a file: the 96 bytes of the block, followed by the 4096 bytes of its
 * authentication.
 *
 * @module
 */
import type { Context } from '../context.ts';
import { UsageError } from '../usage-error.ts';
import { readInput } from './input-file.ts';

const BLOCK = 96;
const AUTH = 4096;

/**
 * Both as base64, which is how QEMU takes them too.
 *
 * @throws UsageError for a file of another size
 */
export async function readIdBlock(
  context: Context,
  path: string,
): Promise<{ IdBlock: string; IdAuth: string }> {
  const bytes = Buffer.from(await readInput(context, path, BLOCK + AUTH, '--id-block'));
  if (bytes.length !== BLOCK + AUTH) {
    throw new UsageError(`--id-block: ${path} has ${bytes.length} bytes, and not ${BLOCK + AUTH}`, {
      remedy: 'Make one with a3s-box boot sign.',
    });
  }
  return {
    IdBlock: bytes.subarray(0, BLOCK).toString('base64'),
    IdAuth: bytes.subarray(BLOCK).toString('base64'),
  };
}
