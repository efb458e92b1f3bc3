/**
 * The engines of a host, as one: each microVM is started by the engine that it names, and taken
 * over by the one that started it.
 *
 * @module
 */

import type { Engine } from './engine.ts';
import type { EngineName } from './engine-name.ts';
import type { EngineReport } from './engine-report.ts';
import type { KrunEngine } from './krun/krun-engine.ts';
import type { QemuEngine } from './qemu/qemu-engine.ts';
import type { ConfidentialLaunch, Tee } from './vm/confidential-launch.ts';
import type { TemplateRequest, VmShape } from './vm/template.ts';
import type { Vm } from './vm/vm.ts';
import type { VmSpec } from './vm/vm-spec.ts';

export class Engines implements Engine {
  readonly #qemu: QemuEngine;
  readonly #krun: KrunEngine;
  readonly configured: EngineName | undefined;

  constructor(qemu: QemuEngine, krun: KrunEngine, configured: EngineName | undefined) {
    this.configured = configured;
    this.#qemu = qemu;
    this.#krun = krun;
  }

  get templateMemoryBytes(): number {
    return this.#qemu.templateMemoryBytes;
  }

  async reports(): Promise<readonly EngineReport[]> {
    // One after the other: each may probe by booting a guest.
    return [...(await this.#qemu.reports()), await this.#krun.report()];
  }

  async requireAvailable(name: EngineName): Promise<void> {
    await (name === 'krun' ? this.#krun.requireAvailable() : this.#qemu.requireAvailable());
  }

  async requireShares(name: EngineName, what: string): Promise<void> {
    if (name === 'krun') await this.#krun.requireShares(what);
  }

  async launch(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    return await (spec.engine === 'krun' ? this.#krun : this.#qemu).launch(spec, signal);
  }

  expectConfidential(tee: Tee): void {
    this.#qemu.expectConfidential(tee);
  }

  async templateInputs(shape: VmShape): Promise<Readonly<Record<string, string>> | undefined> {
    return await this.#qemu.templateInputs(shape);
  }

  async makeTemplate(request: TemplateRequest, signal: AbortSignal): Promise<void> {
    await this.#qemu.makeTemplate(request, signal);
  }

  async adopt(
    id: string,
    runtimeDir: string,
    confidential?: Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'>,
  ): Promise<Vm | undefined> {
    const isKrun = await this.#krun.has(runtimeDir);
    return await (isKrun ? this.#krun : this.#qemu).adopt(id, runtimeDir, confidential);
  }

  async close(): Promise<void> {
    await Promise.all([this.#qemu.close(), this.#krun.close()]);
  }

  async sweep(id: string, runtimeDir: string): Promise<void> {
    await this.#krun.sweep(id, runtimeDir);
  }
}
