/**
 * The QEMU engine: KVM where a probe boot succeeds, emulation otherwise.
 *
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { deadline } from '../deadline.ts';
import { type Engine, PROBE_DIRECTORIES } from '../engine.ts';
import type { EngineReport } from '../engine-report.ts';
import { checkPort } from '../helpers/passt.ts';
import { checkMemory } from '../memory.ts';
import { probesEnded } from '../probe/probe.ts';
import { findTogether } from '../processes/find-together.ts';
import { endProcesses } from '../processes/sweep.ts';
import { prepareDirectory } from '../runtime-directory.ts';
import { InstalledProcessor } from '../secure-processor/processor.ts';
import { reportTees } from '../tees.ts';
import type { ConfidentialLaunch, Tee } from '../vm/confidential-launch.ts';
import type { GuestBoot } from '../vm/guest-boot.ts';
import type { HostLimits } from '../vm/host-limits.ts';
import type { TemplateRequest, VmShape } from '../vm/template.ts';
import type { Vm } from '../vm/vm.ts';
import type { Accelerator, VmSpec } from '../vm/vm-spec.ts';
import { launchVm } from './boot/launch.ts';
import { vmmAmong } from './boot/vmm.ts';
import { vmmSockets } from './command-line/arguments.ts';
import { openStubKernel } from './command-line/stub-kernel.ts';
import { adoptConfidential } from './confidential/adopt-confidential.ts';
import { type ConfidentialHost, launchConfidential } from './confidential/launch-confidential.ts';
import { SealedFiles } from './confidential/sealed-files.ts';
import { VmEvents } from './monitor/events.ts';
import { QmpClient } from './monitor/qmp.ts';
import {
  chooseAccelerator,
  closedDevice,
  confirmAccelerator,
  holds,
  type ProbeOptions,
  type Verdict,
} from './probe/accelerator.ts';
import { qemuObjects, qemuVersion } from './probe/installed-qemu.ts';
import { hostTscKhz } from './probe/tsc-rate.ts';
import { forkVm } from './snapshot/fork.ts';
import { endSaving } from './snapshot/save-running.ts';
import { growthLimit } from './template/memory-growth.ts';
import { saveTemplate } from './template/save-template.ts';
import { startFromTemplate, wasLaunched } from './template/start-from-template.ts';
import { TemplateInputs } from './template/template-inputs.ts';
import { QemuVm, UNSEEN } from './vm.ts';

const ADOPT_MS = 10_000;
/** The default, unless the configuration sets it. */
const KVM_TIMEOUT_MS = 10_000;

/**
 * Room for the guest's kernel and for a box of the default size. Larger boxes get the rest
 * attached.
 */
const TEMPLATE_BYTES = 512 * 2 ** 20;

const GROWTH = growthLimit(TEMPLATE_BYTES);

export interface QemuEngineOptions {
  /**
   * The boot set that the accelerator is probed with, which also decides whether confidential VMs
   * could boot; undefined while there is none.
   */
  readonly boot: (GuestBoot & { readonly confidential?: object | undefined }) | undefined;
  /** The file with the accelerator's verdict, such as `A3S_HOME/accelerator.json`. */
  readonly cacheFile: string;
  /** The runtime directory of this home. The probe makes its own directory in it. */
  readonly runtimeDir: string;
  /** How long the probe of KVM waits for its guest at first. */
  readonly kvmTimeoutMs?: number;
  /**
   * Called with the accelerator of boxes and the reason, where a probe of KVM ran out of time, and
   * again after the second one.
   */
  readonly onLateProbe?: (accelerator: Accelerator, reason: string) => void;
}

export class QemuEngine implements Engine {
  readonly name = 'qemu';
  readonly configured = undefined;
  readonly #options: QemuEngineOptions;
  readonly #inputs = new TemplateInputs();
  readonly #confidential: ConfidentialHost;
  #verdict: Promise<Verdict> | undefined;
  #hostRate: Promise<number | undefined> | undefined;
  readonly #closing = new AbortController();
  #stubKernel: Promise<FileHandle> | undefined;

  constructor(options: QemuEngineOptions) {
    this.#options = options;
    const home = dirname(options.cacheFile);
    this.#confidential = {
      processor: new InstalledProcessor(join(home, 'simulated', 'processor.json')),
      files: new SealedFiles(),
    };
  }

  async reports(): Promise<readonly EngineReport[]> {
    return [await this.report()];
  }

  /** The launch reports what QEMU lacks. */
  async requireAvailable(): Promise<void> {}

  /** Every VM of QEMU is. */
  async requireShares(): Promise<void> {}

  async report(): Promise<EngineReport> {
    const firmware = this.#options.boot?.confidential !== undefined;
    let version: string;
    try {
      version = await qemuVersion();
    } catch (error) {
      const reason =
        error instanceof A3sError ? `${error.message}. ${error.remedy ?? ''}` : String(error);
      const tees = await reportTees({ kvm: false, vmmObjects: undefined, firmware });
      return {
        name: this.name,
        available: false,
        version: undefined,
        reason,
        accelerators: [],
        tees,
      };
    }
    const { accelerator, reason } = await this.#accelerator();
    const vmmObjects = await qemuObjects();
    const tees = await reportTees({ kvm: accelerator === 'kvm', vmmObjects, firmware });
    const accelerators = [
      { name: 'kvm', available: accelerator === 'kvm', reason },
      { name: 'tcg', available: true, reason: undefined },
    ];
    return { name: this.name, available: true, version, reason: undefined, accelerators, tees };
  }

  async launch(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    signal.throwIfAborted();
    await checkMemory(spec.memoryBytes);
    for (const port of spec.nic?.ports ?? []) await checkPort(port);
    const accelerator = await this.#acceleratorOf(spec);
    signal.throwIfAborted();
    await prepareDirectory(spec.runtimeDir, spec.identity);
    try {
      const vm = await this.#launch(spec, accelerator, signal);
      if (spec.hostLimits !== undefined) await limited(vm, spec.hostLimits);
      return vm;
    } catch (error) {
      await endProcesses(spec.runtimeDir);
      throw error;
    }
  }

  async #launch(spec: VmSpec, accelerator: Accelerator, signal: AbortSignal): Promise<QemuVm> {
    const { template, fork, confidential } = spec;
    if (confidential !== undefined) {
      const plan = { spec: { ...spec, confidential }, accelerator };
      return await launchConfidential(plan, this.#confidential, signal);
    }
    if (fork !== undefined) {
      return await forkVm(
        { spec: { ...spec, fork }, accelerator, start: 'fork', growthBytes: GROWTH },
        await this.#stub(),
        signal,
      );
    }
    if (template === undefined) {
      return await launchVm(spec, { accelerator, tscKhz: await this.#tscKhz() }, signal);
    }
    return await startFromTemplate(
      { spec: { ...spec, template }, accelerator, start: 'template', growthBytes: GROWTH },
      await this.#stub(),
      signal,
    );
  }

  async close(): Promise<void> {
    // The results are recorded first. Otherwise the next server would have to probe again.
    await this.#verdict?.catch(() => undefined);
    this.#closing.abort();
    await probesEnded();
  }

  expectConfidential(tee: Tee): void {
    if (tee !== 'simulated') return;
    // Three RSA keys, once per installation. The launch reports any failure of this call.
    this.#confidential.processor.open().catch(() => undefined);
  }

  readonly templateMemoryBytes = TEMPLATE_BYTES;

  async templateInputs(shape: VmShape): Promise<Readonly<Record<string, string>> | undefined> {
    // virt attaches RAM only where it has tables of ACPI, which need firmware.
    if (isForeign(shape.boot)) return undefined;
    const { accelerator } = await this.#accelerator();
    const { cacheFile, runtimeDir } = this.#options;
    return await this.#inputs.of(shape, {
      accelerator,
      memoryBytes: TEMPLATE_BYTES,
      growthBytes: GROWTH,
      tscKhz: await this.#tscKhz(),
      cpuModelFile: join(dirname(cacheFile), 'cpu-model.json'),
      probeDir: join(runtimeDir, PROBE_DIRECTORIES.cpuModel),
    });
  }

  async makeTemplate(request: TemplateRequest, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await checkMemory(TEMPLATE_BYTES);
    const { accelerator } = await this.#accelerator();
    signal.throwIfAborted();
    await prepareDirectory(request.runtimeDir, request.identity);
    try {
      const tscKhz = await this.#tscKhz();
      const host = { accelerator, memoryBytes: TEMPLATE_BYTES, growthBytes: GROWTH, tscKhz };
      await saveTemplate(request, host, signal);
    } finally {
      await endProcesses(request.runtimeDir);
    }
  }

  async adopt(
    id: string,
    runtimeDir: string,
    confidential?: Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'>,
  ): Promise<Vm | undefined> {
    const vmm = vmmAmong(await findTogether(runtimeDir), id);
    if (vmm === undefined) return undefined;
    const events = new VmEvents();
    const monitor = await QmpClient.connect(
      vmmSockets(runtimeDir).monitor,
      (event) => events.receive(event),
      deadline(ADOPT_MS, 'vmm-failed', `The VMM of ${id.slice(0, 12)} did not answer`),
    );
    const { status } = await monitor.execute('query-status', {}, Status);
    // Its server died in the middle of the launch: the VM lacks disks or its state.
    const fromSavedRam = vmm.args.includes('-incoming');
    if (BEFORE.has(status) || (fromSavedRam && !(await wasLaunched(monitor)))) {
      monitor.close();
      await endProcesses(runtimeDir);
      return undefined;
    }
    const parts = { id, runtimeDir, vmm, monitor, helpers: [] };
    let vm: QemuVm;
    try {
      if (confidential === undefined) await endSaving(monitor);
      const adopted = await adoptConfidential(
        id,
        runtimeDir,
        confidential,
        this.#confidential.processor,
      );
      vm = new QemuVm({ ...parts, confidential: adopted });
    } catch (error) {
      monitor.close();
      throw error;
    }
    events.forward(vm);
    if (ENDED.has(status)) void vm.stopped(UNSEEN);
    return vm;
  }

  async sweep(_id: string, runtimeDir: string): Promise<void> {
    await endProcesses(runtimeDir);
  }

  /** Made at first use, and kept for as long as this process. */
  async #stub(): Promise<number> {
    this.#stubKernel ??= openStubKernel(this.#options.runtimeDir).catch((error: unknown) => {
      this.#stubKernel = undefined;
      throw error;
    });
    return (await this.#stubKernel).fd;
  }

  /** Read once, so that templates are made and looked up with the same rate. */
  #tscKhz(): Promise<number | undefined> {
    this.#hostRate ??= hostTscKhz();
    return this.#hostRate;
  }

  async #acceleratorOf({ accelerator, boot }: VmSpec): Promise<Accelerator> {
    const foreign = isForeign(boot);
    if (accelerator !== 'kvm') {
      return foreign ? 'tcg' : (accelerator ?? (await this.#accelerator()).accelerator);
    }
    const reason = foreign
      ? 'the guest has another architecture than this host'
      : (await closedDevice())?.reason;
    if (reason === undefined) return 'kvm';
    throw new A3sError('accelerator-unavailable', `Cannot use KVM: ${reason}`);
  }

  /**
   * The probe runs once. It does not run under the signal of the first caller, since others wait
   * for the same answer.
   */
  async #accelerator(): Promise<Verdict> {
    const { boot, cacheFile, runtimeDir } = this.#options;
    if (boot === undefined) {
      const reason = 'there is no boot set to try it with';
      return { accelerator: 'tcg', reason, until: undefined };
    }
    const asked = this.#verdict;
    if (asked !== undefined) {
      const verdict = await asked;
      if (holds(verdict, Date.now())) return verdict;
      // Unless another caller that waited too is already probing again.
      if (this.#verdict === asked) this.#verdict = undefined;
    }
    this.#verdict ??= closedDevice()
      .then(
        async (closed) =>
          closed ??
          this.#found({
            boot,
            qemuVersion: await qemuVersion(),
            cacheFile,
            runtimeDir: join(runtimeDir, PROBE_DIRECTORIES.accelerator),
            probeMs: this.#options.kvmTimeoutMs ?? KVM_TIMEOUT_MS,
            signal: this.#closing.signal,
          }),
      )
      .catch((error: unknown) => {
        // QEMU may be installed later.
        this.#verdict = undefined;
        throw error;
      });
    return this.#verdict;
  }

  /** The verdict of a late probe holds until the second probe, in the background, has ended. */
  async #found(options: ProbeOptions): Promise<Verdict> {
    const verdict = await chooseAccelerator(options);
    if (verdict.unsure !== true) return verdict;
    const tell = this.#options.onLateProbe;
    tell?.(verdict.accelerator, verdict.reason ?? '');
    confirmAccelerator(options).then(
      (confirmed) => {
        this.#verdict = Promise.resolve(confirmed);
        tell?.(confirmed.accelerator, confirmed.reason ?? 'a guest came up with more time');
      },
      (error: unknown) => {
        // Aborted, as the server ends. The next server begins with a second probe.
        if (options.signal?.aborted === true) return;
        tell?.(verdict.accelerator, `the second probe of KVM failed: ${String(error)}`);
      },
    );
    return verdict;
  }
}

/** A VM whose limits cannot be set is ended. */
async function limited(vm: QemuVm, limits: HostLimits): Promise<void> {
  try {
    await vm.applyLimits(limits);
  } catch (error) {
    await vm.kill();
    throw error;
  }
}

/** Whether a guest has another architecture than this host: it is emulated then. */
function isForeign({ architecture = 'amd64' }: GuestBoot): boolean {
  return architecture !== (process.arch === 'x64' ? 'amd64' : process.arch);
}

const Status = z.object({ status: z.string() });
/** States of a VMM whose guest does not run yet. */
const BEFORE = new Set(['prelaunch', 'inmigrate']);
/** States of a VMM whose guest has ended. */
const ENDED = new Set(['shutdown', 'guest-panicked', 'internal-error']);
