/**
 * The initrd: the agent as `/init`, the modules in their order, and a console.
 *
 * @module
 */
import { type CpioEntry, cpio } from './cpio.ts';
import type { KernelModule, ModuleUse } from './modules.ts';

/** Directories that the agent mounts over, or that hold what follows. */
const DIRECTORIES = ['dev', 'modules', 'proc', 'run', 'sys', 'tmp'];

/**
 * `/modules/order` names the files beside it that every box needs, one a line, in the order in which they load; `/modules/order.nic`
 * those that a network device needs besides.
 */
export function makeInitrd(agent: Buffer, modules: readonly KernelModule[]): Buffer {
  const order = (use: ModuleUse): Buffer => {
    const names = modules.filter((module) => module.use === use).map(({ name }) => `${name}.ko\n`);
    return Buffer.from(names.join(''));
  };
  const entries: CpioEntry[] = [
    ...DIRECTORIES.map((path) => ({ kind: 'directory', path, mode: 0o755 }) as const),
    // The kernel opens it as the descriptors 0 to 2 of init, before anything is mounted.
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, data: agent },
    { kind: 'file', path: 'modules/order', mode: 0o444, data: order('common') },
    { kind: 'file', path: 'modules/order.nic', mode: 0o444, data: order('nic') },
    ...modules.map(
      ({ name, data }) =>
        ({ kind: 'file', path: `modules/${name}.ko`, mode: 0o444, data }) as const,
    ),
  ];
  return cpio(entries);
}
