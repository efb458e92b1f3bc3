/**
 * A boot set whose guest is a program of a test in place of the agent.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOOT_FILES, BootDocument, bootSetId } from '../../../src/boot/document.ts';
import { cpio } from '../../../src/boot/make/cpio.ts';
import type { Actor } from '../actor.ts';
import type { Installation } from '../installation.ts';

/**
 * @param source the program, in C, beside the tests
 * @param options.modules the kernel modules of boxes are there too, in `/modules`
 * @returns the directory, for `A3S_BOOT`
 */
export function hostileBootSet(
  actor: Actor,
  installation: Installation,
  source: string,
  { modules = false } = {},
): string {
  const directory = join(actor.directory, 'hostile');
  mkdirSync(directory, { mode: 0o755 });
  for (const file of [...BOOT_FILES, 'boot.json']) {
    copyFileSync(join(installation.root, 'dist/boot', file), join(directory, file));
    chmodSync(join(directory, file), 0o644);
  }
  const own = initrdOf(actor.directory, source);
  // A later archive replaces files of an earlier one.
  const before = modules ? [readFileSync(join(directory, 'initrd'))] : [];
  replaceInitrd(directory, Buffer.concat([...before, own]));
  return directory;
}

/**
 * An initrd whose only program is compiled from a source in C beside the tests.
 *
 * @param directory for the program
 */
export function initrdOf(directory: string, source: string): Buffer {
  const program = join(directory, 'init');
  execFileSync('gcc', ['-static', '-O2', '-o', program, join(import.meta.dirname, '..', source)]);
  return cpio([
    { kind: 'directory', path: 'dev', mode: 0o755 },
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, data: readFileSync(program) },
  ]);
}

/** A boot set of its own: `boot.json` names the new initrd, and the id follows. */
export function replaceInitrd(directory: string, initrd: Buffer): void {
  const path = join(directory, 'boot.json');
  const document = BootDocument.parse(JSON.parse(readFileSync(path, 'utf8')));
  const sha256 = createHash('sha256').update(initrd).digest('hex');
  const files = { ...document.files, initrd: { sha256, size: initrd.length } };
  const changed = { ...document, files };
  writeFileSync(join(directory, 'initrd'), initrd);
  writeFileSync(path, JSON.stringify({ ...changed, id: bootSetId(changed) }));
}
