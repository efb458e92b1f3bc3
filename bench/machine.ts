/**
 * The hardware and software that the figures were measured on: without them the figures say
 * nothing.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { withActor } from './with-actor.ts';

export type MachineDescription = Readonly<Record<string, string | number>>;

/** What is read of `a3s-box info`. */
interface Info {
  readonly engines: readonly {
    readonly accelerators: readonly { readonly name: string; readonly available: boolean }[];
  }[];
}

/** Starts a server, which knows what boxes run on here. */
export async function describeMachine(): Promise<MachineDescription> {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    accelerator: await withActor(async ({ actor }) =>
      chosen(await actor.ok(['info', '--format', 'json'])),
    ),
    node: process.version,
    qemu: firstLine('qemu-system-x86_64'),
    podman: firstLine('podman'),
    runc: firstLine('runc'),
  };
}

/** The first that is available, as for boxes. */
function chosen(info: string): string {
  const { engines } = JSON.parse(info) as Info;
  const [first] = engines
    .flatMap(({ accelerators }) => accelerators)
    .filter(({ available }) => available);
  return first?.name ?? 'none';
}

function firstLine(program: string): string {
  const [line = ''] = execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n');
  return line;
}
