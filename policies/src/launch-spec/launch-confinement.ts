/**
 * The confinement of a confidential box, and what it has of its guest.
 *
 * @module
 */
import * as z from 'zod';
import { Confinement, type SeccompProfile } from './box-spec.ts';

type DeviceRule = NonNullable<Confinement['deviceRules']>[number];

/**
 * Capabilities over the whole guest, and so over its secure processor: only privileged boxes have
 * them.
 */
const GUEST_CAPABILITIES: ReadonlySet<string> = new Set([
  'CAP_BPF',
  // Opens files by handles: also the directory of the box's device nodes, to make others there.
  'CAP_DAC_READ_SEARCH',
  'CAP_PERFMON',
  'CAP_SYS_ADMIN',
  'CAP_SYS_MODULE',
  'CAP_SYS_PTRACE',
  'CAP_SYS_RAWIO',
]);

/** The devices of the guest that a box may have, by their paths below `/dev`. */
const DEVICES = ['fuse', 'net/tun'] as const;

const MAJOR_MEMORY = 1;
const MAJOR_MISC = 10;
/** `/dev/mem`, `/dev/kmem` and `/dev/port`. */
const GUEST_MEMORY: ReadonlySet<number> = new Set([1, 2, 4]);
/** `/dev/snapshot`, which has all memory too, and `/dev/mapper/control`. */
const GUEST_MISC: ReadonlySet<number> = new Set([231, 236]);

/**
 * Whether a rule opens neither the secure processor, nor the port of the agent, nor the guest's
 * memory or disks. Processor and port have numbers that the kernel chooses, which it does among
 * majors 234 to 254 and 384 to 511, and of major 10 among minors below 128 and above 254. A rule
 * that lets a box make nodes opens nothing.
 */
function isWithinBox({ kind, major, minor, access }: DeviceRule): boolean {
  if (kind === 'all') return false;
  if (!/[rw]/.test(access)) return true;
  if (kind === 'block' || major === undefined) return false;
  if (major === MAJOR_MEMORY) return minor !== undefined && !GUEST_MEMORY.has(minor);
  if (major === MAJOR_MISC) {
    return minor !== undefined && minor >= 128 && minor <= 254 && !GUEST_MISC.has(minor);
  }
  return !((major >= 234 && major <= 254) || (major >= 384 && major <= 511));
}

/** Whether each number has its one spelling. */
function isCanonical({ rules }: SeccompProfile): boolean {
  return rules
    .flatMap(({ conditions }) => conditions)
    .flatMap(({ value, valueTwo }) => [value, valueTwo])
    .every((digits) => /^(0|[1-9]\d*)$/.test(digits));
}

/** What a box spec may have besides, no launch spec has. */
const Fields = Confinement.pick({
  capabilities: true,
  noNewPrivileges: true,
  seccomp: true,
  maskedPaths: true,
  readonlyPaths: true,
  // Since revision 10.
  groups: true,
  oomScoreAdj: true,
}).extend({
  /** The profile itself, which the agent compiles. Since revision 11. */
  seccompProfile: Confinement.shape.seccompProfile
    .unwrap()
    .refine(isCanonical, { error: 'must have numbers in one spelling' })
    .optional(),
  /** As in a box spec. Absent is none. Since revision 11. */
  devices: z
    .array(z.enum(DEVICES))
    .min(1)
    .refine((names) => names.every((name, index) => (names[index - 1] ?? '') < name), {
      error: 'must be sorted, each once',
    })
    .optional(),
  /** As in a box spec, for devices by which the box cannot reach its guest. Since revision 11. */
  deviceRules: Confinement.shape.deviceRules
    .unwrap()
    .min(1)
    .refine((rules) => rules.every(isWithinBox), {
      error: 'must open no device by which the box could reach its guest',
    })
    .optional(),
  /**
   * Gives the workload all of the guest, its secure processor included. HOST_DATA and the
   * measured command line say so too. Absent is false. Since revision 9.
   */
  privileged: z.literal(true).optional(),
});

export const LaunchConfinement = Fields.refine(
  ({ capabilities, privileged }) =>
    privileged === true || !capabilities.some((name) => GUEST_CAPABILITIES.has(name)),
  { error: 'capabilities must not be good for the whole guest' },
)
  .refine(
    ({ seccomp, seccompProfile }) => (seccomp === 'profile') === (seccompProfile !== undefined),
    {
      error: 'must be there for the profile of that name, and only for it',
      path: ['seccompProfile'],
    },
  )
  .refine(({ privileged, deviceRules }) => privileged !== true || deviceRules === undefined, {
    error: 'does not belong to a privileged box',
    path: ['deviceRules'],
  });

/**
 * That of a container of a confidential pod, which has no devices and is not privileged: its guest
 * has loaded no drivers for it, and its command line is not that of a privileged one.
 */
export const ContainerConfinement = Fields.omit({
  privileged: true,
  devices: true,
  deviceRules: true,
})
  .extend({ groupsPolicy: Confinement.shape.groupsPolicy })
  .refine(({ capabilities }) => !capabilities.some((name) => GUEST_CAPABILITIES.has(name)), {
    error: 'capabilities must not be good for the whole guest',
  })
  .refine(
    ({ seccomp, seccompProfile }) => (seccomp === 'profile') === (seccompProfile !== undefined),
    {
      error: 'must be there for the profile of that name, and only for it',
      path: ['seccompProfile'],
    },
  );
