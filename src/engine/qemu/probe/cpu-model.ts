/**
 * The features of a guest's CPU on this host, as QEMU reports them.
 *
 * The name of a model says little: `host` differs between hosts, and `max` between QEMU versions. A
 * VM that was saved with one cannot run on another. QEMU is asked once, in its jail, and the answer
 * is kept until QEMU, the accelerator, the host's CPU or its kernel changes.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import * as z from 'zod';
import { parseJson } from '../../../parse-json.ts';
import { keep } from '../../probe/keep.ts';
import { type ProbePlace, withProbe } from '../../probe/probe.ts';
import type { Accelerator } from '../../vm/vm-spec.ts';
import { startVmm } from '../boot/vmm.ts';
import { cpuModel } from '../command-line/arguments.ts';

const MAX_CACHE = 64 * 1024;

const Scalar = z.union([z.string(), z.number(), z.boolean()]);
const Expansion = z.object({
  model: z.object({ name: z.string(), props: z.record(z.string(), Scalar) }),
});
const Cached = z.strictObject({ key: z.string(), digest: z.string().regex(/^[0-9a-f]{64}$/) });

export interface CpuModelOptions extends ProbePlace {
  /** SHA-256 of QEMU. */
  readonly qemu: string;
  readonly accelerator: Accelerator;
  /** The file with the answer. */
  readonly cacheFile: string;
}

/** The digest of this host's CPU, valid as long as this process runs. */
let features: Promise<string> | undefined;

/**
 * The CPU features that a microcode update can change between two starts of the host with the same
 * CPU model and kernel.
 *
 * @param cpuinfo of proc_cpuinfo(5)
 * @returns a digest of what the first CPU can do
 */
export function featuresOf(cpuinfo: string): string {
  const [first = ''] = cpuinfo.split('\n\n');
  const lines = first
    .split('\n')
    .filter((line) => /^(flags|vmx flags|bugs|microcode)\s*:/.test(line));
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

/** @returns a digest over all properties of the model that boxes run on */
export async function expandedCpuModel(
  options: CpuModelOptions,
  signal: AbortSignal,
): Promise<string> {
  const { qemu, accelerator, cacheFile } = options;
  features ??= readFile('/proc/cpuinfo', 'latin1').then(featuresOf);
  const key = [qemu, accelerator, cpus()[0]?.model ?? '', release(), await features].join(' ');
  const cached = await readCache(cacheFile, key);
  if (cached !== undefined) return cached;
  const digest = await ask(options, signal);
  await keep(cacheFile, { key, digest });
  return digest;
}

async function ask(options: CpuModelOptions, signal: AbortSignal): Promise<string> {
  const { accelerator } = options;
  return await withProbe(options, async (spec) => {
    const plan = { spec, accelerator, start: 'boot', growthBytes: 0 } as const;
    const { monitor, helper } = await startVmm(plan, {}, () => undefined, signal);
    try {
      const question = { type: 'full', model: modelOf(cpuModel(accelerator)) };
      const { model } = await monitor.execute('query-cpu-model-expansion', question, Expansion);
      const properties = Object.entries(model.props).sort(([a], [b]) => (a < b ? -1 : 1));
      return createHash('sha256')
        .update(JSON.stringify([model.name, properties]))
        .digest('hex');
    } finally {
      monitor.close();
      helper.release();
    }
  });
}

/** Parsed from `name,property=on` on the command line. */
function modelOf(text: string): { name: string; props: Record<string, boolean> } {
  const [name = '', ...properties] = text.split(',');
  const pairs = properties.map((property) => property.split('='));
  return { name, props: Object.fromEntries(pairs.map(([key, value]) => [key, value === 'on'])) };
}

async function readCache(path: string, key: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text.length > MAX_CACHE) return undefined;
  const cached = Cached.safeParse(parseJson(text));
  return cached.success && cached.data.key === key ? cached.data.digest : undefined;
}
