/**
 * Chooses between KVM and emulation by booting once.
 *
 * A `/dev/kvm` that opens and makes vCPUs may still be unable to run an ordinary kernel: nested
 * paravirtual ones hang, or die in their emulator. So the kernel of boxes is booted with KVM until
 * its agent opens the control port, with a deadline. The verdict is kept until QEMU, the host's
 * kernel or the boot set changes.
 *
 * A device that cannot be opened is tried again with each start.
 *
 * A probe that runs out of time proves nothing: the host may have been busy, or be slow. Boxes are
 * then emulated, and a second probe runs in the background with several times as long. If that one
 * is late too, its verdict holds for an hour.
 *
 * @module
 */
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { release } from 'node:os';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { parseJson } from '../../../parse-json.ts';
import { whenAborted } from '../../deadline.ts';
import { printable } from '../../helpers/helper.ts';
import { keep } from '../../probe/keep.ts';
import { withProbe } from '../../probe/probe.ts';
import type { GuestBoot } from '../../vm/guest-boot.ts';
import type { Accelerator, VmSpec } from '../../vm/vm-spec.ts';
import { startVmm } from '../boot/vmm.ts';
import { CONTROL_PORT_ID } from '../command-line/arguments.ts';

/** The factor by which the second probe's time is longer. */
const SECOND_FACTOR = 3;
const DOUBT_MS = 3_600_000;

export interface Verdict {
  readonly accelerator: Accelerator;
  /** The reason why the accelerator is not KVM. */
  readonly reason: string | undefined;
  /**
   * The time until which the verdict holds, in milliseconds since 1970. Undefined: until something
   * changes. That the device cannot be opened holds for no later question: its module may be
   * loaded, or its mode be set, after this process has started, as while the host boots.
   */
  readonly until: number | undefined;
  /** A first probe was late, and no second one has ended. */
  readonly unsure?: boolean | undefined;
}

export interface ProbeOptions {
  readonly boot: GuestBoot;
  readonly qemuVersion: string;
  /** The file with the verdict. */
  readonly cacheFile: string;
  /** A short path that does not exist; made and removed by the probe. */
  readonly runtimeDir: string;
  /** The time that a guest gets to start, at first. */
  readonly probeMs: number;
  /** Aborts a probe. */
  readonly signal?: AbortSignal;
  readonly now?: () => number;
}

const Cached = z.strictObject({
  key: z.string(),
  accelerator: z.enum(['kvm', 'tcg']),
  reason: z.string().optional(),
  until: z.number().optional(),
  unsure: z.boolean().optional(),
});

/**
 * The verdict where KVM's device cannot be opened, which needs no probe and holds for this one
 * question.
 */
export async function closedDevice(device = '/dev/kvm'): Promise<Verdict | undefined> {
  const reason = await deviceProblem(device);
  return reason === undefined ? undefined : { accelerator: 'tcg', reason, until: Date.now() };
}

/**
 * Any failure to probe means emulation. Rejects only where its signal aborts. Boots only where no
 * simpler check decides. An unsure verdict needs {@link confirmAccelerator}.
 */
export async function chooseAccelerator(options: ProbeOptions): Promise<Verdict> {
  const now = options.now ?? Date.now;
  const key = await cacheKey(options);
  const cached = await readCache(options.cacheFile, key);
  if (cached !== undefined && holds(cached, now())) return cached;
  const failure = await probe(options, options.probeMs);
  // An aborted probe says nothing about the host.
  options.signal?.throwIfAborted();
  const verdict = judge(failure, now());
  if (failure?.late !== true) return await kept(options, key, verdict);
  const reason = `${failure.reason}; it is tried again with ${seconds(secondMs(options))}`;
  return await kept(options, key, { ...verdict, reason, unsure: true });
}

/**
 * The second probe, with more time, after a first one that was late. Rejects where its signal
 * aborts.
 */
export async function confirmAccelerator(options: ProbeOptions): Promise<Verdict> {
  const now = options.now ?? Date.now;
  const failure = await probe(options, secondMs(options));
  options.signal?.throwIfAborted();
  const verdict = judge(failure, now());
  const reason = failure?.late
    ? `${failure.reason}; it is tried again after an hour (A3S_KVM_TIMEOUT gives it more time)`
    : verdict.reason;
  return await kept(options, await cacheKey(options), { ...verdict, reason });
}

function secondMs({ probeMs }: ProbeOptions): number {
  return SECOND_FACTOR * probeMs;
}

async function kept(options: ProbeOptions, key: string, verdict: Verdict): Promise<Verdict> {
  const cached: z.infer<typeof Cached> = { key, ...verdict };
  await keep(options.cacheFile, cached);
  return verdict;
}

/** Whether a verdict still holds. */
export function holds({ until }: Verdict, now: number): boolean {
  // A time further ahead than any verdict reaches is not accepted either: the clock may have been
  // set back.
  return until === undefined || (now < until && until <= now + DOUBT_MS);
}

/**
 * The verdict after a probe. A probe that ran out of time says nothing about the host, so its
 * verdict is temporary.
 */
export function judge(failure: ProbeFailure | undefined, now: number): Verdict {
  if (failure === undefined) return { accelerator: 'kvm', reason: undefined, until: undefined };
  const { reason, late } = failure;
  return { accelerator: 'tcg', reason, until: late ? now + DOUBT_MS : undefined };
}

interface ProbeFailure {
  readonly reason: string;
  /** It ran out of time. */
  readonly late: boolean;
}

async function deviceProblem(device: string): Promise<string | undefined> {
  try {
    await access(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES') return '/dev/kvm may not be opened by this user (join the group kvm)';
    return 'there is no /dev/kvm: no hardware virtualization, or its kernel module is not loaded';
  }
}

/** @returns why KVM cannot be used */
async function probe(options: ProbeOptions, probeMs: number): Promise<ProbeFailure | undefined> {
  const deadline = AbortSignal.timeout(probeMs);
  const signal = AbortSignal.any([deadline, ...(options.signal ? [options.signal] : [])]);
  try {
    await withProbe(options, (spec) => bootOnce(spec, signal));
    return undefined;
  } catch (error) {
    if (deadline.aborted) {
      return { reason: `a guest did not come up with KVM within ${seconds(probeMs)}`, late: true };
    }
    const message = printable(error instanceof Error ? error.message : String(error));
    return { reason: `a guest could not be booted with KVM: ${message}`, late: false };
  }
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`;
}

/** Resolves when the agent has opened the control port. */
async function bootOnce(spec: VmSpec, signal: AbortSignal): Promise<void> {
  let opened = (): void => undefined;
  const up = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const { monitor, helper } = await startVmm(
    { spec, accelerator: 'kvm', start: 'boot', growthBytes: 0 },
    {},
    (event) => {
      const change = PortChange.safeParse(event.data);
      if (change.data?.id === CONTROL_PORT_ID && change.data.open) opened();
    },
    signal,
  );
  try {
    await monitor.execute('cont', {}, z.unknown());
    await Promise.race([
      up,
      whenAborted(AbortSignal.any([signal, helper.ended])),
      monitorClosed(monitor.closed),
    ]);
  } finally {
    monitor.close();
    helper.release();
  }
}

const PortChange = z.object({ id: z.string(), open: z.boolean() });

async function monitorClosed(closed: Promise<void>): Promise<never> {
  await closed;
  throw new A3sError('vmm-failed', 'the VMM ended');
}

/** Files are identified by size and time: a boot set is never changed in place. */
async function cacheKey({ qemuVersion, boot }: ProbeOptions): Promise<string> {
  const files = [boot.kernelPath, boot.initrdPath].map(async (path) => {
    const { size, mtimeMs } = await stat(path);
    return [path, size, Math.floor(mtimeMs)].join(' ');
  });
  return [qemuVersion, release(), ...(await Promise.all(files)), ...boot.commandLine].join(' ');
}

async function readCache(path: string, key: string): Promise<Verdict | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  const cached = Cached.safeParse(parseJson(text));
  if (!cached.success || cached.data.key !== key) return undefined;
  const { accelerator, reason, until, unsure } = cached.data;
  return { accelerator, reason, until, unsure };
}
