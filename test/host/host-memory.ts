/**
 * Memory snapshots of booted hosts: the second start of a prepared host continues from one.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { EmulatedHost, type HostSpec, hostArguments, QEMU, VIRTIOFSD } from './emulated-host.ts';

const ROOT = join(import.meta.dirname, '../..');
const KEPT = join(ROOT, 'build/host');

export interface Preparation {
  readonly name: string;
  readonly spec: HostSpec;
  /** Files and directories whose content the prepared state depends on. */
  readonly inputs: readonly string[];
  /** Brings a host that just booted to the state that is kept. Afterwards no command may run. */
  readonly prepare: (host: EmulatedHost) => Promise<void>;
  /**
   * Whether to keep it where it is not kept yet: to save and load it costs a host that is used once
   * more than it gives.
   */
  readonly keep: boolean;
}

/**
 * A prepared host: from its kept memory, or booted, prepared and, if requested, kept for the next
 * time.
 */
export async function preparedHost(preparation: Preparation): Promise<EmulatedHost> {
  const { name, spec, prepare } = preparation;
  const memory = join(KEPT, `${name}-${keyOf(preparation)}`);
  if (!existsSync(memory)) {
    if (!preparation.keep) return booted(spec, prepare);
    await keep(memory, name, spec, prepare);
  }
  return booted({ ...spec, memory }, async (host) => {
    // Files of this machine may have changed.
    await host.sh('echo 3 > /proc/sys/vm/drop_caches');
    await host.setClock();
  });
}

async function booted(spec: HostSpec, prepare: Preparation['prepare']): Promise<EmulatedHost> {
  const host = await EmulatedHost.start(spec);
  try {
    await host.ready();
    await prepare(host);
    return host;
  } catch (error) {
    await host.kill();
    throw error;
  }
}

/** One is kept of each name: they are as large as the memory that a host has used. */
async function keep(
  memory: string,
  name: string,
  spec: HostSpec,
  prepare: Preparation['prepare'],
): Promise<void> {
  mkdirSync(KEPT, { recursive: true });
  for (const old of readdirSync(KEPT)) {
    if (old.startsWith(`${name}-`)) rmSync(join(KEPT, old));
  }
  await using host = await booted(spec, prepare);
  // What is cached need not be kept, and would hide what changes in the checkout.
  await host.sh('sync; echo 3 > /proc/sys/vm/drop_caches');
  await host.saveMemory(`${memory}.new`);
  renameSync(`${memory}.new`, memory);
}

function keyOf({ spec, inputs }: Preparation): string {
  const hash = createHash('sha256');
  for (const program of [spec.qemu ?? QEMU, VIRTIOFSD]) {
    hash.update(execFileSync(program, ['--version']));
  }
  hash.update(JSON.stringify(hostArguments(spec, '')));
  const files = [spec.kernel, ...(spec.initrd === undefined ? [] : [spec.initrd]), ...inputs];
  // Where they lie does not matter: an installation of a run has a random name.
  for (const input of files) {
    for (const file of filesIn(input)) {
      const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
      hash.update(`${relative(input, file)} ${digest}\n`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function filesIn(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
