/**
 * The shortest possible initrd: its one program powers the VM off.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpio } from '../../src/boot/make/cpio.ts';

/** Writes it below `directory`, and gives its path. */
export function noopInitrd(directory: string): string {
  const program = join(directory, 'init');
  execFileSync('gcc', ['-static', '-O2', '-o', program, join(import.meta.dirname, 'noop-init.c')]);
  const path = join(directory, 'initrd');
  writeFileSync(
    path,
    cpio([{ kind: 'file', path: 'init', mode: 0o755, data: readFileSync(program) }]),
  );
  return path;
}
