/**
 * Whether libkrun boots a guest on this host: it is tried once, with the kernel of boxes and a
 * deadline.
 *
 * A library that loads says little: a libkrun that finds no KVM, or a guest that finds no device of
 * libkrun's, fails later. That it boots is kept until the library, the boot set, the host's kernel
 * or its processor changes. A failure may pass, such as one by the host's load or its rights, and
 * holds for an hour, in this server alone.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { parseJson } from '../../parse-json.ts';
import { printable } from '../helpers/helper.ts';
import { keep } from '../probe/keep.ts';
import { withProbe } from '../probe/probe.ts';
import type { GuestBoot } from '../vm/guest-boot.ts';
import type { Vm } from '../vm/vm.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { agentAnswers } from './agent-answers.ts';
import { kvmRefusal } from './start-shim.ts';

/** How long a failure holds. */
const FAILED_MS = 3_600_000;

/** What the probe found. */
export interface KrunVerdict {
  /** Why no box can run; undefined: they can. */
  readonly reason: string | undefined;
  /** The release whose functions the library has. */
  readonly atLeast: string | undefined;
  /** Functions that the library lacks. */
  readonly missing: readonly string[];
  /**
   * The time until which it holds, in milliseconds since 1970; undefined: until something changes.
   */
  readonly until: number | undefined;
}

export interface KrunProbe {
  readonly library: string;
  readonly boot: GuestBoot;
  /** The file with the result. */
  readonly cacheFile: string;
  /** A short path that does not exist; made and removed by the probe. */
  readonly runtimeDir: string;
  readonly probeMs: number;
  /** Aborts the probe, which then says nothing. */
  readonly signal: AbortSignal;
  /** Starts the VM, and says which functions its library has. */
  launch(
    spec: VmSpec,
    signal: AbortSignal,
  ): Promise<{ readonly vm: Vm; readonly found: Pick<KrunVerdict, 'atLeast' | 'missing'> }>;
}

const Cached = z.strictObject({
  key: z.string(),
  atLeast: z.string().optional(),
  missing: z.array(z.string()),
});

/** Rejects only where its signal aborts. */
export async function probeKrun(probe: KrunProbe): Promise<KrunVerdict> {
  const key = await cacheKey(probe).catch((error: unknown) => {
    probe.signal.throwIfAborted();
    return failed(NOTHING, `its files could not be read: ${messageOf(error)}`);
  });
  if (typeof key !== 'string') return key;
  const cached = await readCache(probe.cacheFile, key);
  if (cached !== undefined) return cached;
  const verdict = await boot(probe);
  probe.signal.throwIfAborted();
  const { reason, atLeast, missing } = verdict;
  // Where it cannot be kept, as on a full disk, the next server probes again.
  if (reason === undefined) {
    await keep(probe.cacheFile, { key, atLeast, missing }).catch(() => undefined);
  }
  return verdict;
}

type Found = Pick<KrunVerdict, 'atLeast' | 'missing'>;
const NOTHING: Found = { atLeast: undefined, missing: [] };

function failed(found: Found, reason: string): KrunVerdict {
  return { ...found, reason, until: Date.now() + FAILED_MS };
}

function messageOf(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error));
}

async function boot(probe: KrunProbe): Promise<KrunVerdict> {
  const late = AbortSignal.timeout(probe.probeMs);
  const signal = AbortSignal.any([late, probe.signal]);
  let found = NOTHING;
  try {
    await withProbe(probe, async (spec) => {
      const started = await probe.launch(spec, signal);
      found = started.found;
      try {
        await agentAnswers(started.vm, signal);
      } finally {
        await started.vm.kill();
      }
    });
    return { ...found, reason: undefined, until: undefined };
  } catch (error) {
    return failed(
      found,
      late.aborted
        ? `a guest did not come up within ${probe.probeMs / 1000} s (A3S_KVM_TIMEOUT gives it more time)`
        : `a guest could not be booted: ${await reasonOf(error)}`,
    );
  }
}

/** libkrun says no more than that the kernel refused it the device of KVM. */
async function reasonOf(error: unknown): Promise<string> {
  const message = messageOf(error);
  const refusal = /creating the Kvm object/.test(message) ? await kvmRefusal() : undefined;
  return refusal ?? message;
}

async function cacheKey({ library, boot }: KrunProbe): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(library), hash);
  const files = [boot.kernelPath, boot.initrdPath].map(async (path) => {
    const { size, mtimeMs } = await stat(path);
    return [path, size, Math.floor(mtimeMs)].join(' ');
  });
  const processor = cpus()[0]?.model ?? '';
  return [
    library,
    hash.digest('hex'),
    release(),
    processor,
    ...(await Promise.all(files)),
    ...boot.commandLine,
  ].join(' ');
}

async function readCache(path: string, key: string): Promise<KrunVerdict | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const cached = Cached.safeParse(parseJson(text));
  if (!cached.success || cached.data.key !== key) return undefined;
  const { atLeast, missing } = cached.data;
  return { reason: undefined, atLeast, missing, until: undefined };
}
