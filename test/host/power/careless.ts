/**
 * A product that does not sync what it should, by which the test itself is tested.
 *
 * @module
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installation } from '../../e2e/installation.ts';

/**
 * Runs `use` with a copy of the installation, whose server has `careless` in place of `careful`.
 */
export async function withCareless<T>(
  installation: Installation,
  { careful, careless }: { readonly careful: string; readonly careless: string },
  use: (installation: Installation) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'a3s-careless-'));
  try {
    cpSync(join(installation.root, 'dist'), join(root, 'dist'), { recursive: true });
    const server = join(root, 'dist/server.cjs');
    const text = readFileSync(server, 'utf8');
    const changed = text.replaceAll(careful, careless);
    if (changed === text) throw new Error(`there is no ${careful} in the server`);
    writeFileSync(server, changed);
    return await use({ ...installation, root, cli: join(root, 'dist/a3s-box.cjs') });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
