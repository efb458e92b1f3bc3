/**
 * Launch digests of many launches that have much in common.
 *
 * @module
 */
import { toHex } from '../../hex.ts';
import { type Launch, measureMemory, vmsaHashes } from '../launch.ts';
import { LaunchDigest } from '../launch-digest.ts';

/** Digests by vCPU count, as far as they were asked for. */
interface Chain {
  readonly digest: LaunchDigest;
  readonly others: Uint8Array;
  readonly values: string[];
}

/**
 * Measures each memory image once, and each further vCPU once: launches that differ in nothing but
 * their number of vCPUs cost one hash each.
 */
export class DigestMemo {
  readonly #memories = new Map<string, Uint8Array>();
  readonly #chains = new Map<string, Chain>();

  /** The launch digest, as hexadecimal. */
  digest(launch: Launch): string {
    const { digest, others, values } = this.#chain(launch);
    while (values.length < launch.vcpus) {
      digest.vmsa(others);
      values.push(toHex(digest.value()));
    }
    return String(values[launch.vcpus - 1]);
  }

  #chain(launch: Launch): Chain {
    const memory = memoryKey(launch);
    const key = `${memory} ${launch.rdx} ${launch.sevFeatures} ${launch.fpu}`;
    const known = this.#chains.get(key);
    if (known !== undefined) return known;
    const { first, others } = vmsaHashes(launch);
    const digest = new LaunchDigest(this.#memory(launch, memory)).vmsa(first);
    const chain = { digest, others, values: [toHex(digest.value())] };
    this.#chains.set(key, chain);
    return chain;
  }

  #memory(launch: Launch, key: string): Uint8Array {
    const known = this.#memories.get(key);
    if (known !== undefined) return known;
    const value = measureMemory(launch).value();
    this.#memories.set(key, value);
    return value;
  }
}

function memoryKey({ vmm, ovmf, kernel }: Launch): string {
  return `${vmm} ${ovmfKey(ovmf)} ${kernel === undefined ? '' : kernelKey(kernel)}`;
}

/** The figures of an OVMF image that determine digests. */
export function ovmfKey({ hash, sections, hashTableGpa, resetEip }: Launch['ovmf']): string {
  const places = sections.map(({ gpa, size, type }) => `${gpa}+${size}:${type}`);
  return [toHex(hash), hashTableGpa, resetEip, ...places].join(' ');
}

function kernelKey({ kernel, initrd, cmdline }: NonNullable<Launch['kernel']>): string {
  return [kernel, initrd, cmdline].map(toHex).join(' ');
}
