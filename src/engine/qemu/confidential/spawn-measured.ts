/**
 * Spawns the VMM of a confidential VM, from files that are measured before the VMM gets them and
 * cannot change afterwards.
 *
 * @module
 */
import { constants } from 'node:fs';
import type { LaunchInputs, LaunchRecord } from '@a3s-box/attestation/measure';
import type { SimulatedGuest } from '@a3s-box/attestation/simulated';
import { unlessAborted } from '../../../async/unless-aborted.ts';
import { A3sError } from '../../../errors.ts';
import { findTool } from '../../../jail/tools.ts';
import { callFilter } from '../../helpers/call-filter.ts';
import { DescriptorTable } from '../../helpers/descriptor-table.ts';
import { Helper } from '../../helpers/helper.ts';
import { fileLength } from '../../processes/file-length.ts';
import { writeGuestFile } from '../../secure-processor/guest-file.ts';
import type { InstalledProcessor } from '../../secure-processor/processor.ts';
import { QEMU, vmmJail } from '../boot/vmm.ts';
import { vmmSockets } from '../command-line/arguments.ts';
import { VMM } from '../vm.ts';
import { confidentialArguments, hasAuthor } from './confidential-arguments.ts';
import type { ConfidentialPlan, ConfidentialSpec } from './plan.ts';
import { closeSealed, contentOf, type SealedFile, sealBytes, sha256Of } from './sealed-file.ts';

const { O_RDONLY, O_RDWR } = constants;

/** The files that a VM boots from, in memory and unchangeable. */
export interface SealedBoot {
  readonly firmware: SealedFile;
  readonly kernel: SealedFile;
  readonly initrd: SealedFile;
}

export interface MeasuredVmm {
  readonly helper: Helper;
  readonly launched: LaunchRecord;
  /** The guest of a simulated processor. */
  readonly guest: SimulatedGuest | undefined;
}

/**
 * Measures the files of the VMM, has the simulated processor launch and keep the guest, and starts
 * the VMM with those very descriptors. No file is opened between the two, and no path names what is
 * measured.
 *
 * @throws A3sError `unsupported-option` for firmware, kernel or identity that cannot be launched
 * so, `tool-missing`, `state-unusable` for a file that cannot be opened or written
 */
export async function spawnMeasured(
  plan: ConfidentialPlan,
  sealed: SealedBoot,
  processor: InstalledProcessor,
  signal: AbortSignal,
): Promise<MeasuredVmm> {
  const { spec, accelerator } = plan;
  const path = await findTool(QEMU);
  const { launched, inputs, table: hashTable } = await measure(spec, sealed);
  const guest =
    spec.confidential.tee === 'simulated'
      ? await launch(spec, inputs, processor, signal)
      : undefined;
  await using table = new DescriptorTable();
  const sockets = vmmSockets(spec.runtimeDir);
  const hashes = guest === undefined ? undefined : await sealBytes(hashTable.bytes);
  try {
    const disks: number[] = [];
    const fds = {
      firmware: table.lend(sealed.firmware.fd),
      kernel: table.lend(sealed.kernel.fd),
      initrd: table.lend(sealed.initrd.fd),
      hashes:
        hashes === undefined
          ? undefined
          : { fd: table.lend(hashes.fd), address: hashTable.address },
      kvm: accelerator === 'kvm' ? await table.open('/dev/kvm', O_RDWR) : undefined,
      sev: guest === undefined ? await table.open('/dev/sev', O_RDWR) : undefined,
      monitor: await table.listen(sockets.monitor),
      control: await table.listen(sockets.control),
      processor: guest === undefined ? undefined : await table.listen(sockets.processor),
      disks,
      tap: spec.nic?.tap === undefined ? undefined : table.lend(spec.nic.tap),
      moreTaps: (spec.moreNics ?? []).map(({ tap }) =>
        tap === undefined ? undefined : table.lend(tap),
      ),
    };
    for (const disk of spec.disks) {
      disks.push(await table.open(disk.path, disk.readonly ? O_RDONLY : O_RDWR));
    }
    const args = confidentialArguments(plan, fds);
    const fileBytes = await fileLength(spec.disks, spec.memoryBytes);
    const filter = await callFilter(table, { memoryFiles: guest === undefined });
    const reopened = fds.sev === undefined ? [] : [fds.sev];
    const jail = { ...vmmJail(spec, { fileBytes }), ...filter, reopened };
    const helper = await Helper.start(VMM, { ...jail, path, args }, table.fds);
    return { helper, launched, guest };
  } finally {
    if (hashes !== undefined) await closeSealed(hashes);
  }
}

interface Measured {
  readonly inputs: LaunchInputs;
  readonly launched: LaunchRecord;
  /** The hashes by which the firmware checks kernel, initrd and command line. */
  readonly table: { readonly bytes: Uint8Array; readonly address: number };
}

async function measure(spec: ConfidentialSpec, sealed: SealedBoot): Promise<Measured> {
  // Loaded here: most servers never run a confidential box.
  const { kernelHashes, kernelHashTable, launchRecordOf, measuredOvmf } = await import(
    '@a3s-box/attestation/measure'
  );
  const [firmware, kernel, initrd] = await Promise.all([
    contentOf(sealed.firmware),
    sha256Of(sealed.kernel),
    sha256Of(sealed.initrd),
  ]);
  try {
    const ovmf = measuredOvmf(firmware);
    const inputs: LaunchInputs = {
      vmm: 'qemu',
      ovmf,
      kernel: { sha256: kernel },
      initrd: { sha256: initrd },
      append: spec.boot.commandLine.join(' '),
      vcpus: spec.cpus,
      vcpuType: spec.confidential.vcpuType,
    };
    // Refuses firmware that would start a kernel unchecked.
    const launched = launchRecordOf(inputs);
    const bytes = kernelHashTable(
      kernelHashes({ sha256: kernel }, { sha256: initrd }, inputs.append),
    );
    return { inputs, launched, table: { bytes, address: ovmf.hashTableGpa ?? 0 } };
  } catch (error) {
    throw refusal(error);
  }
}

/** The guest is kept before it runs, so that a server that adopts its VM can serve it. */
async function launch(
  { id, confidential }: ConfidentialSpec,
  inputs: LaunchInputs,
  processor: InstalledProcessor,
  signal: AbortSignal,
): Promise<SimulatedGuest> {
  const { hostData, policy, identity, guestStatePath } = confidential;
  // A new processor's keys take seconds. The end of the server does not wait for them.
  const opened = await unlessAborted(processor.open(), signal);
  let guest: SimulatedGuest;
  try {
    guest = opened.launch({
      inputs,
      hostData,
      policy,
      ...(identity === undefined
        ? {}
        : {
            id: {
              idBlock: identity.block,
              idAuth: identity.auth,
              authorKeyEnabled: hasAuthor(identity.auth),
            },
          }),
    });
  } catch (error) {
    throw refusal(error);
  }
  await writeGuestFile(guestStatePath, id, guest.keep());
  return guest;
}

function refusal(cause: unknown): A3sError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const remedy = cause instanceof Error && 'remedy' in cause ? cause.remedy : undefined;
  return new A3sError('unsupported-option', `Cannot launch a confidential microVM: ${why}`, {
    cause,
    remedy: typeof remedy === 'string' ? remedy : undefined,
  });
}
