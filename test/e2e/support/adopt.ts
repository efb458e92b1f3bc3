/**
 * A second process that adopts a VM, sends requests to its agent, and releases it.
 *
 * @module
 */
import { QemuEngine } from '../../../src/engine/qemu/qemu-engine.ts';
import { connectGuest } from '../../../src/guest/connection.ts';
import { scaled } from '../time-scale.ts';

async function main(): Promise<void> {
  const { options, id, runtimeDir } = JSON.parse(process.argv[2] ?? '');
  const engine = new QemuEngine(options);
  const vm = await engine.adopt(id, runtimeDir);
  if (vm === undefined) throw new Error('there is no microVM');
  const signal = new AbortController().signal;
  const { hello } = await connectGuest(vm, { signal, deadlineMs: scaled(60_000) });
  await vm.release();
  await engine.close();
  process.stdout.write(JSON.stringify({ pid: vm.pid, hello }));
}

await main();
