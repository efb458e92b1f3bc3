/**
 * What a report of `doctor` concludes from its facts.
 *
 * @module
 */
import type { Host, SelfTestResult } from '../../docker-api/a3s/host.ts';
import type { Received } from '../client/json.ts';
import { objectOf, objectsOf, stringOf } from '../client/json.ts';
import type { HostFacts } from './host-facts.ts';

/** The report, as `--format json` prints it. */
export interface Report {
  readonly version: string;
  readonly host: HostFacts;
  /** What the control server says of the host; a failure where none can be reached. */
  readonly server: Received<Host> | Failure;
  readonly selfTests: readonly Attempt[];
  readonly findings: readonly Finding[];
}

export interface Failure {
  readonly failure: {
    readonly code: string;
    readonly message: string;
    readonly remedy?: string | undefined;
  };
}

/** An engine, and QEMU's accelerator. */
export interface Way {
  readonly engine: 'qemu' | 'krun';
  readonly accelerator?: 'kvm' | 'tcg';
}

/** One self-test, and what came of it. */
export type Attempt = Way & ({ readonly result: Received<SelfTestResult> } | Failure);

/** `error`: boxes cannot run. `warning`: they run, and something is slower, weaker or missing. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly remedy?: string | undefined;
}

/** Below it a pull or a build soon fails. */
const LOW_DISK = 5e9;
/** Below it directories with many files cannot be shared with a box. */
const FEW_FILES = 65_536;
/** Not an error of an installation: the host has no such device. */
const UNAVAILABLE = 'accelerator-unavailable';
const NO_ENGINE = 'engine-unavailable';

export function isFailure<T extends object>(value: T): value is T & Failure {
  return 'failure' in value;
}

/** Whether the box of a self-test ran. */
export function passed(attempt: Attempt): boolean {
  return !isFailure(attempt);
}

/** The way of a self-test, for people. */
export function nameOf({ engine, accelerator }: Way): string {
  return accelerator ?? engine;
}

/** Errors first. */
export function conclude({ host, server, selfTests }: Omit<Report, 'findings' | 'version'>) {
  const findings = [
    ...ofServer(server),
    ...(isFailure(server) ? [] : ofSelfTests(host, server, selfTests)),
    ...ofHost(host),
    ...(isFailure(server) ? [] : ofPrograms(server)),
    ...(isFailure(server) ? [] : ofJail(server)),
  ];
  const rank = { error: 0, warning: 1 };
  return findings.sort((a, b) => rank[a.severity] - rank[b.severity]);
}

function ofServer(server: Report['server']): Finding[] {
  if (!isFailure(server)) return [];
  const { message, remedy } = server.failure;
  return [{ severity: 'error', message: `The control server does not serve: ${message}`, remedy }];
}

function ofSelfTests(
  { kvm }: HostFacts,
  { defaultEngine }: Received<Host>,
  attempts: readonly Attempt[],
): Finding[] {
  const any = attempts.some(passed);
  const standard = stringOf(objectOf<Host['defaultEngine']>(defaultEngine).name);
  return attempts.filter(isFailure).flatMap((attempt): Finding[] => {
    const { code, message, remedy } = attempt.failure;
    if (any && code === UNAVAILABLE) return emulated(kvm);
    const isStandard = attempt.engine === standard;
    // An engine that nobody has chosen, and that this host lacks, is no fault.
    if (code === NO_ENGINE && !isStandard) return [];
    const severity = any && !(attempt.engine === 'krun' && isStandard) ? 'warning' : 'error';
    return [{ severity, message: `No box runs with ${nameOf(attempt)}: ${message}`, remedy }];
  });
}

function emulated(kvm: HostFacts['kvm']): Finding[] {
  const message = 'Boxes are emulated, many times slower than with hardware virtualization';
  const remedy =
    kvm === 'closed'
      ? 'Let this user open /dev/kvm: on Debian, add it to the group kvm.'
      : 'Switch virtualization on in the firmware, or load the module kvm_amd or kvm_intel; in a virtual machine its host has to permit nested virtualization.';
  return [{ severity: 'warning', message, remedy }];
}

function ofHost({ freeBytes, openFiles, cgroups }: HostFacts): Finding[] {
  const findings: Finding[] = [];
  if (freeBytes < LOW_DISK) {
    findings.push({
      severity: 'warning',
      message: `Only ${Math.floor(freeBytes / 1e6)} MB are free for images and boxes`,
      remedy: 'Free some space, or set A3S_HOME to a larger file system.',
    });
  }
  if (/^\d+$/.test(openFiles) && Number(openFiles) < FEW_FILES) {
    findings.push({
      severity: 'warning',
      message: `A process may open ${openFiles} files at most, which limits shared directories`,
      remedy: 'Raise the hard limit of open files (LimitNOFILE of the service).',
    });
  }
  if (cgroups !== 'v2') {
    findings.push({
      severity: 'warning',
      message: 'This host has no cgroup v2',
      remedy: 'Boot it with systemd.unified_cgroup_hierarchy=1.',
    });
  }
  return findings;
}

function ofPrograms({ programs }: Received<Host>): Finding[] {
  const missing = objectsOf(programs).filter(({ path }) => path === undefined);
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((program) => stringOf(program.package)))].sort();
  return [
    {
      severity: 'warning',
      message: `Programs are missing: ${missing.map(({ name }) => stringOf(name)).join(', ')}`,
      remedy: `Install them: apt-get install ${packages.join(' ')}`,
    },
  ];
}

function ofJail({ jail }: Received<Host>): Finding[] {
  const { identity, namespaces, reason, weakAccepted, allRequired } = objectOf(jail);
  if (namespaces === true) return withoutLandlock(objectOf(jail));
  return [
    {
      severity:
        allRequired !== true && (identity === true || weakAccepted === true) ? 'warning' : 'error',
      message: `VMMs get no namespaces of their own: ${stringOf(reason) || 'no reason given'}`,
      remedy:
        'Permit user namespaces (sysctl kernel.unprivileged_userns_clone, AppArmor), or install bubblewrap.',
    },
  ];
}

function withoutLandlock({
  landlock,
  landlockReason,
  allRequired,
}: Received<Host['jail']>): Finding[] {
  if (landlock === true) return [];
  return [
    {
      severity: allRequired === true ? 'error' : 'warning',
      message: `Landlock does not limit what helper programs write: ${stringOf(landlockReason) || 'no reason given'}`,
      remedy:
        'Use Linux 6.2 or newer with landlock among its security modules (lsm=), and util-linux 2.41 or newer.',
    },
  ];
}
