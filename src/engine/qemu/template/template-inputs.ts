/**
 * The inputs of a template. A template is valid only where all of them are the same.
 *
 * @module
 */

import { A3sError } from '../../../errors.ts';
import { findTool } from '../../../jail/tools.ts';
import { TEMPLATE_SLOTS } from '../../vm/slots.ts';
import type { VmShape } from '../../vm/template.ts';
import type { Accelerator } from '../../vm/vm-spec.ts';
import { QEMU } from '../boot/vmm.ts';
import { qemuArguments } from '../command-line/arguments.ts';
import { expandedCpuModel } from '../probe/cpu-model.ts';
import { qemuVersion } from '../probe/installed-qemu.ts';
import { FileDigests } from './file-digests.ts';

/** Where distributions keep the firmware that QEMU puts into a guest's memory. */
const FIRMWARE_DIRECTORIES = ['/usr/share/seabios', '/usr/share/qemu'];
const FIRMWARE = ['bios-256k.bin', 'kvmvapic.bin', 'linuxboot_dma.bin', 'pvh.bin'];
const ASK_MS = 30_000;

export interface TemplateHost {
  readonly accelerator: Accelerator;
  readonly memoryBytes: number;
  readonly growthBytes: number;
  readonly tscKhz: number | undefined;
  readonly cpuModelFile: string;
  /** A short path that does not exist. */
  readonly probeDir: string;
}

/** Caches digests of files for as long as it lives. */
export class TemplateInputs {
  readonly #files = new FileDigests();
  /** By digest of the program. */
  readonly #versions = new Map<string, string>();
  /** One QEMU is asked at a time: all would use one directory. */
  #asking: Promise<unknown> = Promise.resolve();

  async of(shape: VmShape, host: TemplateHost): Promise<Record<string, string>> {
    const { kernelPath, initrdPath } = shape.boot;
    const [qemu, kernel, initrd, firmware] = await Promise.all([
      findTool(QEMU).then((path) => this.#present(path)),
      this.#present(kernelPath),
      this.#present(initrdPath),
      this.#firmware(),
    ]);
    const { accelerator } = host;
    const version = this.#versions.get(qemu) ?? (await qemuVersion());
    this.#versions.set(qemu, version);
    const cpuModel = await this.#cpuModel(shape, host, qemu);
    const args = canonicalArguments(shape, host).join(' ');
    return { version, qemu, firmware, kernel, initrd, accelerator, cpuModel, arguments: args };
  }

  async #present(path: string): Promise<string> {
    const digest = await this.#files.of(path);
    if (digest !== undefined) return digest;
    throw new A3sError('state-unusable', `Cannot read ${path}: it does not exist`);
  }

  async #firmware(): Promise<string> {
    const paths = FIRMWARE_DIRECTORIES.flatMap((directory) =>
      FIRMWARE.map((name) => `${directory}/${name}`),
    );
    const digests = await Promise.all(paths.map((path) => this.#files.of(path)));
    return paths
      .flatMap((path, n) => (digests[n] === undefined ? [] : [`${path}=${digests[n]}`]))
      .join(' ');
  }

  async #cpuModel({ boot }: VmShape, host: TemplateHost, qemu: string): Promise<string> {
    const { accelerator, cpuModelFile: cacheFile, probeDir: runtimeDir } = host;
    const asked = this.#asking.then(() =>
      expandedCpuModel(
        { boot, runtimeDir, qemu, accelerator, cacheFile },
        AbortSignal.timeout(ASK_MS),
      ),
    );
    this.#asking = asked.catch(() => undefined);
    return await asked;
  }
}

/** The command line of a VM that is saved, without the values that name one VM or one place. */
export function canonicalArguments(
  { cpus, boot, sparePorts }: VmShape,
  {
    accelerator,
    memoryBytes,
    growthBytes,
    tscKhz,
  }: Pick<TemplateHost, 'accelerator' | 'memoryBytes' | 'growthBytes' | 'tscKhz'>,
): string[] {
  const spec = {
    id: '0'.repeat(64),
    runtimeDir: '/run',
    identity: { uid: 0, gid: 0 },
    cpus,
    memoryBytes,
    boot: { ...boot, kernelPath: '', initrdPath: '' },
    disks: [{ path: '', serial: TEMPLATE_SLOTS.changes, readonly: false }],
    nic: undefined,
    shares: [],
    sparePorts,
  };
  const fds = {
    kernel: 0,
    initrd: 0,
    kvm: accelerator === 'kvm' ? 0 : undefined,
    ram: 0,
    state: 0,
    ...{ monitor: 0, control: 0 },
    disks: [0],
  };
  return qemuArguments({ spec, accelerator, start: 'save', growthBytes, tscKhz }, fds);
}
