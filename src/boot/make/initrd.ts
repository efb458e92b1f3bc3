/**
 * The initrd: the agent as `/init`, the modules in their order, and a console.
 *
 * @module
 */
import { type CpioEntry, cpio } from './cpio.ts';
import type { LoadedModules } from './modules.ts';

/** Directories that the agent mounts over, or that hold what follows. */
const DIRECTORIES = ['dev', 'modules', 'proc', 'run', 'sys', 'tmp'];

/** libkrun puts the end of an initrd at the end of the memory; its kernel frees whole pages. */
const PAGE = 4096;

/**
 * `/modules/order` names the files beside it that every box needs, one a line, in the order in
 * which they load; `/modules/order.nic` and its like those that a use needs besides. One that two
 * uses need is named by both.
 */
export function makeInitrd(
  agent: Buffer,
  { modules, uses: all }: Pick<LoadedModules, 'modules' | 'uses'>,
): Buffer {
  const orders = all.map((use) => {
    const names = modules.filter(({ uses }) => uses.has(use)).map(({ name }) => `${name}.ko\n`);
    const path = `modules/order${use === 'common' ? '' : `.${use}`}`;
    return { kind: 'file', path, mode: 0o444, data: Buffer.from(names.join('')) } as const;
  });
  const entries: CpioEntry[] = [
    ...DIRECTORIES.map((path) => ({ kind: 'directory', path, mode: 0o755 }) as const),
    // The kernel opens it as the descriptors 0 to 2 of init, before anything is mounted.
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, data: agent },
    ...orders,
    ...modules.map(
      ({ name, data }) =>
        ({ kind: 'file', path: `modules/${name}.ko`, mode: 0o444, data }) as const,
    ),
  ];
  return cpio(entries, all.includes('mmio') ? PAGE : undefined);
}
