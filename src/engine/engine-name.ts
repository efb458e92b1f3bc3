/**
 * The engines by their names, and what boxes of each cannot have.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

export const ENGINE_NAMES = ['qemu', 'krun'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** The engine of boxes for which none was named. */
export const AUTOMATIC: { readonly name: EngineName; readonly reason: string } = {
  name: 'qemu',
  reason:
    'chosen automatically: QEMU has templates, snapshots and confidential boxes, and runs without KVM',
};

/** The engine of boxes for which none is named, and why. */
export function standardEngine(configured: EngineName | undefined): {
  readonly name: EngineName;
  readonly reason: string;
} {
  return configured === undefined ? AUTOMATIC : { name: configured, reason: CONFIGURED };
}

/**
 * How many disks, shares and network cards a microVM of libkrun has together: its interrupt lines
 * for virtio devices on x86-64, from 5 to 15, less those of the random numbers, of the balloon and
 * of vsock.
 */
export const KRUN_DEVICES = 8;

/**
 * The most memory of a microVM of libkrun: it puts an initrd at the end of the memory, and gives
 * the kernel 32 bits of its address. Memory beyond this begins at 4 GiB.
 */
export const KRUN_MEMORY_BYTES = 3328 * 2 ** 20;
/** The most processors: as many as the ACPI tables of its kernel have. */
export const KRUN_CPUS = 254;

/**
 * @param size of the microVM
 * @throws A3sError `engine-unsupported`
 */
export function checkKrunSize(size: { readonly cpus: number; readonly memoryBytes: number }): void {
  const mib = Math.ceil(size.memoryBytes / 2 ** 20);
  const most = KRUN_MEMORY_BYTES / 2 ** 20;
  if (mib > most) {
    const what = `start a microVM with ${mib} MiB of memory`;
    throw engineUnsupported('krun', what, `boots this project’s kernel with ${most} MiB at most`);
  }
  if (size.cpus > KRUN_CPUS) {
    const what = `start a microVM with ${size.cpus} processors`;
    throw engineUnsupported('krun', what, `has ${KRUN_CPUS} at most`);
  }
}

/** Why a box has the engine that `A3S_ENGINE` names. */
export const CONFIGURED = 'configured: A3S_ENGINE';

/** What an engine may be unable to do for a box. */
export type EngineFeature =
  | 'architecture'
  | 'confidential'
  | 'disk-limits'
  | 'egress'
  | 'snapshot'
  | 'networks';

/** The reasons, which follow the engine's name in a sentence. */
const LACKING: Readonly<Record<EngineName, Readonly<Partial<Record<EngineFeature, string>>>>> = {
  qemu: {},
  krun: {
    architecture: 'runs guests of the host’s architecture alone',
    confidential: 'starts no confidential boxes',
    'disk-limits': 'limits no rates of disks',
    egress: 'has no network cards that lead to a network of the host, where policies are enforced',
    snapshot: 'saves neither the memory nor the disk of a box',
    networks: 'has no network cards that lead to a user-defined network',
  },
};

/** Why boxes of an engine cannot have a feature; undefined: they can. */
export function lacking(engine: EngineName, feature: EngineFeature): string | undefined {
  return LACKING[engine][feature];
}

/**
 * @param engine undefined: the automatic one
 * @param what is refused, as a verb and its object
 * @throws A3sError `engine-unsupported`
 */
export function requireFeature(
  engine: EngineName | undefined,
  feature: EngineFeature,
  what: string,
): void {
  const name = engine ?? AUTOMATIC.name;
  const reason = lacking(name, feature);
  if (reason !== undefined) throw engineUnsupported(name, what, reason);
}

/** The refusal of something that an engine cannot do. */
export function engineUnsupported(name: EngineName, what: string, reason: string): A3sError {
  return new A3sError('engine-unsupported', `Cannot ${what}: the engine ${name} ${reason}`, {
    remedy: 'Create the box with --engine qemu.',
  });
}
