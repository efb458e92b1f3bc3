/**
 * The steps of a document, which a test runs as they stand.
 *
 * @module
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';

/** Blocks of a language, in their order. */
export function blocksOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, block = '']) => block,
  );
}

/** The text with a free port of this host in the place of each that it names. */
export async function withFreePorts(text: string): Promise<string> {
  let changed = text;
  for (const named of new Set(text.match(/(?<=127\.0\.0\.1:)\d+/g))) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    changed = changed.replaceAll(new RegExp(`\\b${named}\\b`, 'g'), `${port}`);
  }
  return changed;
}

/** `a3s-box` in a directory of the PATH. */
export function putProgram(directory: string, cli: string): void {
  const command = `#!/bin/sh\nexec ${JSON.stringify(process.execPath)} -- ${JSON.stringify(cli)} "$@"\n`;
  writeFileSync(join(directory, 'a3s-box'), command, { mode: 0o755 });
}

/** A shell that ends at the first command that fails, and its broker with it. */
export function scriptOf(blocks: readonly string[]): string {
  const end = `trap 'kill "\${BROKER:-}" 2>/dev/null || true' EXIT`;
  return `set -eu\n${end}\n${blocks.join('\n')}`;
}
