/**
 * A confidential VM whose guest lets a test use its secure processor, in its own directory.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readBootSet } from '../../../src/boot/bootset.ts';
import { cpio } from '../../../src/boot/make/cpio.ts';
import type { ConfidentialSpec } from '../../../src/engine/qemu/confidential/plan.ts';
import type { QemuEngineOptions } from '../../../src/engine/qemu/qemu-engine.ts';
import { identityFor } from '../../../src/jail/identity.ts';

export interface ConfidentialPlace {
  /** The caller removes it. */
  readonly root: string;
  /** State of the simulated processor. */
  readonly stateFile: string;
  readonly options: QemuEngineOptions;
  readonly spec: ConfidentialSpec;
}

export async function confidentialPlace(id: string): Promise<ConfidentialPlace> {
  const { confidential: boot } = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  if (boot === undefined) throw new Error('the boot set has nothing for confidential boxes');
  // Short, since sockets lie in it.
  const root = await mkdtemp(join(tmpdir(), 'conf-'));
  await chmod(root, 0o711);
  const home = join(root, 'home');
  const stateFile = await processorState(home);
  const at = (name: string): string => join(root, name);
  await copyFile(boot.firmwarePath, at('firmware'));
  await copyFile(boot.kernelPath, at('kernel'));
  for (const name of ['firmware', 'kernel']) await chmod(at(name), 0o600);
  await writeFile(at('initrd'), relayInitrd(at('init')));
  await writeFile(at('layer'), 'layer', { mode: 0o444 });
  await truncate(at('layer'), 4096);
  const spec: ConfidentialSpec = {
    id,
    runtimeDir: at('box'),
    identity: identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []),
    cpus: 1,
    memoryBytes: 256 * 2 ** 20,
    boot: {
      kernelPath: at('kernel'),
      initrdPath: at('initrd'),
      commandLine: boot.commandLines.simulated,
    },
    disks: [{ path: at('layer'), serial: 'layer-0', readonly: true }],
    nic: undefined,
    shares: [],
    confidential: {
      tee: 'simulated',
      firmwarePath: at('firmware'),
      vcpuType: boot.vcpuType,
      policy: boot.policy,
      hostData: new Uint8Array(32).fill(0x5d),
      guestStatePath: join(home, 'guest.json'),
    },
  };
  const cacheFile = join(home, 'accelerator.json');
  return { root, stateFile, options: { boot: undefined, cacheFile, runtimeDir: root }, spec };
}

/** That of the test vectors: three RSA keys need not be made. */
async function processorState(home: string): Promise<string> {
  const directory = join(home, 'simulated');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stateFile = join(directory, 'processor.json');
  await copyFile(resolve('test/vectors/simulated/state.json'), stateFile);
  await chmod(stateFile, 0o600);
  return stateFile;
}

function relayInitrd(program: string): Buffer {
  const source = join(import.meta.dirname, '..', 'port-relay-init.c');
  execFileSync('gcc', ['-static', '-O2', '-o', program, source]);
  return cpio([
    { kind: 'directory', path: 'dev', mode: 0o755 },
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, data: readFileSync(program) },
  ]);
}

/** The bytes with one bit another. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
