/**
 * One confidential launch: the boot files are sealed, measured and passed to the VMM, and then the
 * guest runs.
 *
 * @module
 */
import * as z from 'zod';
import { startTranslator } from '../../helpers/passt.ts';
import { ProcessorPort } from '../../secure-processor/port.ts';
import type { InstalledProcessor } from '../../secure-processor/processor.ts';
import { answeringVmm } from '../boot/vmm.ts';
import { vmmSockets } from '../command-line/arguments.ts';
import { VmEvents } from '../monitor/events.ts';
import { QemuVm } from '../vm.ts';
import { type ConfidentialPlan, type ConfidentialSpec, checkPlan } from './plan.ts';
import { closeSealed, type SealedFile } from './sealed-file.ts';
import type { SealedFiles } from './sealed-files.ts';
import { type MeasuredVmm, type SealedBoot, spawnMeasured } from './spawn-measured.ts';

const MEBIBYTE = 2 ** 20;
/** Firmware lies in the last 16 MiB below 4 GiB. The other limits bound this process's work. */
const LARGEST = { firmware: 16 * MEBIBYTE, kernel: 256 * MEBIBYTE, initrd: 1024 * MEBIBYTE };

/** What an engine shares among all its confidential VMs. */
export interface ConfidentialHost {
  readonly processor: InstalledProcessor;
  readonly files: SealedFiles;
}

/**
 * On failure processes may be left. The caller ends them, by the runtime directory.
 *
 * @throws A3sError as `checkPlan` and `spawnMeasured` do, `vmm-failed`
 */
export async function launchConfidential(
  plan: ConfidentialPlan,
  host: ConfidentialHost,
  signal: AbortSignal,
): Promise<QemuVm> {
  const { spec } = plan;
  checkPlan(plan);
  const { id, runtimeDir } = spec;
  // The translator starts before the VMM, which has its network card from the start.
  const translators = await Promise.all(startTranslator(spec, signal));
  const { helper, launched, guest } = await spawnSealed(plan, host, signal);
  if (signal.aborted) helper.release();
  signal.throwIfAborted();
  const events = new VmEvents();
  const vmm = await answeringVmm(spec, helper, (event) => events.receive(event), signal);
  const port =
    guest === undefined ? undefined : new ProcessorPort(vmmSockets(runtimeDir).processor, guest);
  try {
    await vmm.monitor.execute('cont', {}, z.unknown());
    signal.throwIfAborted();
  } catch (error) {
    vmm.monitor.close();
    await port?.close();
    throw error;
  }
  const vm = new QemuVm({
    id,
    runtimeDir,
    vmm: vmm.process,
    monitor: vmm.monitor,
    helpers: [helper, ...translators],
    confidential: { port, launched },
  });
  events.forward(vm);
  return vm;
}

/** The VMM has its own descriptors once it is spawned. */
async function spawnSealed(
  plan: ConfidentialPlan,
  { processor, files }: ConfidentialHost,
  signal: AbortSignal,
): Promise<MeasuredVmm> {
  const { spec } = plan;
  const sealed: SealedFile[] = [];
  try {
    const boot = await sealBoot(spec, files, sealed);
    return await spawnMeasured(plan, boot, processor, signal);
  } finally {
    await Promise.all(sealed.map(closeSealed));
  }
}

/** @param sealed gets every file that was sealed, also on failure */
async function sealBoot(
  { boot, confidential }: ConfidentialSpec,
  files: SealedFiles,
  sealed: SealedFile[],
): Promise<SealedBoot> {
  const one = async (path: string, limit: number): Promise<SealedFile> => {
    const file = await files.seal(path, limit);
    sealed.push(file);
    return file;
  };
  return {
    firmware: await one(confidential.firmwarePath, LARGEST.firmware),
    kernel: await one(boot.kernelPath, LARGEST.kernel),
    initrd: await one(boot.initrdPath, LARGEST.initrd),
  };
}
