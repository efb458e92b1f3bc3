/**
 * Engines that a test makes by itself. They are closed at its end: an engine may still probe KVM in
 * the background, with a VM that would outlive the process of the test.
 *
 * @module
 */
import { QemuEngine, type QemuEngineOptions } from '../../../src/engine/qemu/qemu-engine.ts';
import { scaled } from '../time-scale.ts';

/** As a server without `A3S_KVM_TIMEOUT`. */
const KVM_TIMEOUT_MS = 10_000;

const engines: QemuEngine[] = [];

export function openEngine(options: QemuEngineOptions): QemuEngine {
  const engine = new QemuEngine({ kvmTimeoutMs: scaled(KVM_TIMEOUT_MS), ...options });
  engines.push(engine);
  return engine;
}

/** Ends the probes of all of them. */
export async function closeEngines(): Promise<void> {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
}
