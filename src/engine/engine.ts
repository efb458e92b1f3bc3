/**
 * The interface of an engine. An engine turns a VM's description into a running microVM and
 * returns a byte stream to the agent inside. Engines know nothing of images or HTTP.
 *
 * @module
 */
import type { EngineName } from './engine-name.ts';
import type { EngineReport } from './engine-report.ts';
import type { ConfidentialLaunch, Tee } from './vm/confidential-launch.ts';
import type { TemplateRequest, VmShape } from './vm/template.ts';
import type { Vm } from './vm/vm.ts';
import type { VmSpec } from './vm/vm-spec.ts';

/**
 * A directory below the runtime directory where an engine starts probe VMs. A server that dies
 * leaves them there.
 */
export const PROBE_DIRECTORIES = {
  accelerator: 'probe',
  cpuModel: 'cpu',
  krun: 'krun',
  selfTest: 'self-test',
} as const;

export interface Engine {
  /** The engine of boxes for which none is named; undefined: it is chosen automatically. */
  readonly configured: EngineName | undefined;
  /** What each engine can do on this host. */
  reports(): Promise<readonly EngineReport[]>;
  /** @throws A3sError `engine-unavailable`, with the reason */
  requireAvailable(name: EngineName): Promise<void>;
  /**
   * Whether VMs of the engine are given directories of the host.
   *
   * @param what is refused otherwise, as a verb and its object
   * @throws A3sError `engine-unsupported`
   */
  requireShares(name: EngineName, what: string): Promise<void>;
  /**
   * Starts a VM. When it cannot, it rejects with `A3sError` and leaves nothing behind:
   * `accelerator-unavailable` where the spec names one that this host does not have.
   */
  launch(spec: VmSpec, signal: AbortSignal): Promise<Vm>;
  /**
   * Announces that a confidential VM will be launched: starts in the background what takes long the
   * first time. Never fails.
   */
  expectConfidential(tee: Tee): void;
  /**
   * What a template of this shape depends on besides the guest's own state: digests of kernel,
   * initrd and VMM, the expanded CPU model, accelerator, arguments. Undefined where this engine
   * makes no template of the shape.
   */
  templateInputs(shape: VmShape): Promise<Readonly<Record<string, string>> | undefined>;
  /** The size of every template's RAM, in bytes. */
  readonly templateMemoryBytes: number;
  /**
   * Boots, prepares, stops and saves a VM. When it cannot, it rejects with `A3sError` and leaves no
   * process behind.
   */
  makeTemplate(request: TemplateRequest, signal: AbortSignal): Promise<void>;
  /**
   * Finds the VM of a box that an earlier server started. Undefined when the VM no longer runs, or
   * never came to run. Rejects with `vmm-failed` when the VM does not answer, and leaves it as it
   * is.
   */
  adopt(
    id: string,
    runtimeDir: string,
    confidential?: Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'>,
  ): Promise<Vm | undefined>;
  /** Resolves when the engine has no background work left; VMs keep running. */
  close(): Promise<void>;
  /**
   * Ends the helper processes that an earlier server's VM left behind (passt, virtiofsd of a dead
   * VMM).
   */
  sweep(id: string, runtimeDir: string): Promise<void>;
}
