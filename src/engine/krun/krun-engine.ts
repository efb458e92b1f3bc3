/**
 * The engine libkrun: each microVM is a process of its own that a library turns into one.
 *
 * It boots plain boxes, and has nothing of what QEMU's monitor does: no saved memory, so neither
 * templates nor snapshots, and no devices for a running microVM.
 *
 * @module
 */
import { join } from 'node:path';
import { settleOrAbort } from '../../async/settle-all.ts';
import { PROBE_DIRECTORIES } from '../engine.ts';
import { engineUnsupported } from '../engine-name.ts';
import type { EngineReport } from '../engine-report.ts';
import { checkPort, startTranslator } from '../helpers/passt.ts';
import { fileServers, startVirtiofsd } from '../helpers/virtiofsd.ts';
import { checkMemory } from '../memory.ts';
import { probesEnded } from '../probe/probe.ts';
import { endProcesses } from '../processes/sweep.ts';
import { prepareDirectory } from '../runtime-directory.ts';
import type { ConfidentialLaunch } from '../vm/confidential-launch.ts';
import type { GuestBoot } from '../vm/guest-boot.ts';
import type { Vm } from '../vm/vm.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { kernelWithTables } from './acpi/kernel-with-tables.ts';
import { checkSpec } from './describe-vm.ts';
import { findLibrary, unavailable } from './find-library.ts';
import { KrunVm } from './krun-vm.ts';
import { type KrunVerdict, probeKrun } from './probe.ts';
import { RunDirectory } from './run-directory.ts';
import { findShim, type ShimHost, startShim } from './start-shim.ts';

export interface KrunEngineOptions extends Omit<ShimHost, 'library'> {
  /** `A3S_KRUN_LIBRARY`. */
  readonly library: string | undefined;
  /** The boot set of the probe; undefined while there is none. */
  readonly boot: GuestBoot | undefined;
  /** The directory with what is kept of runs, such as `A3S_HOME/krun`. */
  readonly directory: string;
  /** The runtime directory of this home. The probe makes its own directory in it. */
  readonly runtimeDir: string;
  /** How long the probe waits for its guest. */
  readonly probeMs: number;
}

export class KrunEngine {
  readonly name = 'krun';
  readonly #options: KrunEngineOptions;
  readonly #closing = new AbortController();
  #verdict: Promise<KrunVerdict> | undefined;

  constructor(options: KrunEngineOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async report(): Promise<EngineReport> {
    let library: string | undefined;
    let verdict: KrunVerdict | undefined;
    let reason: string | undefined;
    try {
      library = await findLibrary(this.#options.library);
      verdict = await this.#probe(library);
      ({ reason } = verdict);
    } catch (error) {
      // A report has other parts, which do not depend on this engine.
      reason = error instanceof Error ? error.message : String(error);
    }
    return {
      name: this.name,
      available: reason === undefined,
      version: verdict?.atLeast,
      reason,
      accelerators: [],
      tees: [],
    };
  }

  /** @throws A3sError `engine-unavailable` */
  async requireAvailable(): Promise<void> {
    const { reason } = await this.#probe(await findLibrary(this.#options.library));
    if (reason !== undefined) throw unavailable(reason);
  }

  /** @throws A3sError `engine-unavailable`, `engine-unsupported` */
  async requireShares(what: string): Promise<void> {
    const { reason, missing } = await this.#probe(await findLibrary(this.#options.library));
    if (reason !== undefined) throw unavailable(reason);
    checkShares(missing, what);
  }

  async launch(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    signal.throwIfAborted();
    checkSpec(spec);
    const library = await findLibrary(this.#options.library);
    checkFunctions(spec, await this.#probe(library));
    await checkMemory(spec.memoryBytes);
    for (const port of spec.nic?.ports ?? []) await checkPort(port);
    signal.throwIfAborted();
    return await this.#launch(spec, library, signal);
  }

  async adopt(
    id: string,
    runtimeDir: string,
    confidential?: Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'>,
  ): Promise<Vm | undefined> {
    if (confidential !== undefined) return undefined;
    const run = this.#run(runtimeDir);
    const size = await run.size();
    if (size === undefined) return undefined;
    const { entering } = await run.record();
    // Its server died in the middle of the launch.
    if (entering === undefined) {
      await this.sweep(id, runtimeDir);
      return undefined;
    }
    const { monitor, shim } = await findShim(runtimeDir);
    return new KrunVm({ id, runtimeDir, size, run, monitor, shim, helpers: [] });
  }

  /** Whether the last microVM of a runtime directory was one of libkrun, and is not swept. */
  async has(runtimeDir: string): Promise<boolean> {
    return (await this.#run(runtimeDir).size()) !== undefined;
  }

  async sweep(_id: string, runtimeDir: string): Promise<void> {
    await endProcesses(runtimeDir);
    await this.#run(runtimeDir).remove();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await probesEnded();
  }

  async #launch(spec: VmSpec, library: string, signal: AbortSignal): Promise<KrunVm> {
    const { id, runtimeDir, identity, cpus, memoryBytes, hostLimits } = spec;
    const run = this.#run(runtimeDir);
    const kernels = join(this.#options.directory, KERNELS);
    await prepareDirectory(runtimeDir, identity);
    try {
      // They listen before libkrun connects to them.
      const servers = { ...fileServers(spec), asksForTag: true };
      const [kernelPath, ...others] = await settleOrAbort(signal, (waiting) => [
        kernelWithTables(spec.boot.kernelPath, kernels),
        ...startTranslator(spec, waiting),
        ...spec.shares.map((share, index) => startVirtiofsd(share, index, servers, waiting)),
      ]);
      const booted = { ...spec, boot: { ...spec.boot, kernelPath } };
      const { probeMs } = this.#options;
      const shim = await startShim(booted, { ...this.#options, library }, run, { signal, probeMs });
      const found = await findShim(runtimeDir);
      const size = { cpus, memoryBytes };
      const helpers = [shim, ...others];
      const vm = new KrunVm({ id, runtimeDir, size, run, ...found, helpers });
      if (hostLimits !== undefined) await vm.applyLimits(hostLimits);
      return vm;
    } catch (error) {
      await this.sweep(id, runtimeDir);
      throw error;
    }
  }

  #run(runtimeDir: string): RunDirectory {
    return new RunDirectory(this.#options.directory, runtimeDir);
  }

  /** One probe at a time; what it found holds for this server, unless it was late. */
  async #probe(library: string): Promise<KrunVerdict> {
    const { boot, directory, runtimeDir, probeMs } = this.#options;
    if (boot === undefined) throw unavailable('there is no boot set to try it with');
    const asked = this.#verdict;
    if (asked !== undefined) {
      const verdict = await asked;
      if (verdict.until === undefined || Date.now() < verdict.until) return verdict;
      if (this.#verdict === asked) this.#verdict = undefined;
    }
    const probeDir = join(runtimeDir, PROBE_DIRECTORIES.krun);
    this.#verdict ??= probeKrun({
      ...{ library, boot, probeMs, runtimeDir: probeDir },
      cacheFile: join(directory, 'probe.json'),
      signal: this.#closing.signal,
      launch: async (spec, signal) => {
        const vm = await this.#launch(spec, library, signal);
        const { entering } = await this.#run(spec.runtimeDir).record();
        return { vm, found: { atLeast: entering?.atLeast, missing: entering?.missing ?? [] } };
      },
    })
      .finally(() => this.#run(probeDir).remove())
      .catch((error: unknown) => {
        this.#verdict = undefined;
        throw error;
      });
    return await this.#verdict;
  }
}

/** The directory of the kernels that libkrun boots, beside those of the runs. */
const KERNELS = 'kernels';

/** Functions that a VM needs for what not every build of libkrun has. */
const SHARES_FUNCTION = 'krun_add_vhost_user_device';
const NETWORK_FUNCTION = 'krun_add_net_unixstream';

/** @throws A3sError `engine-unavailable`, `engine-unsupported` */
function checkFunctions({ shares, nic }: VmSpec, { reason, missing }: KrunVerdict): void {
  if (reason !== undefined) throw unavailable(reason);
  if (shares.length > 0) checkShares(missing, 'share files with the microVM');
  if (nic !== undefined && missing.includes(NETWORK_FUNCTION)) {
    throw engineUnsupported('krun', 'give a network', `has no ${NETWORK_FUNCTION} on this host`);
  }
}

/**
 * libkrun's own file server would run in the VMM, as one user of the host who owns none of root's
 * files. So a server of its own serves each share, as with QEMU.
 */
function checkShares(missing: readonly string[], what: string): void {
  if (!missing.includes(SHARES_FUNCTION)) return;
  throw engineUnsupported(
    'krun',
    what,
    `has no ${SHARES_FUNCTION} on this host, which libkrun has after 1.19.0 where it was compiled with VHOST_USER=1`,
  );
}
