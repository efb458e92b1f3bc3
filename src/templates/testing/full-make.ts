/**
 * A program that makes a template in a directory that is too small for it, and prints what came of
 * it.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FakeEngine, FakeHost } from '../../engine/testing/fake.ts';
import { A3sError } from '../../errors.ts';
import { FakeAgent } from '../../guest/testing/fake-agent.ts';
import { TemplateStore } from '../store.ts';

const MEBIBYTE = 2 ** 20;

async function main(root: string): Promise<void> {
  const directory = join(root, 'templates');
  const runtimeDir = join(root, 'run');
  for (const path of [directory, runtimeDir]) mkdirSync(path, { mode: 0o700 });
  const host = new FakeHost(() => {
    const agent = new FakeAgent({});
    return (stream) => agent.serve(stream);
  });
  const engine = new FakeEngine(host);
  const make = engine.makeTemplate.bind(engine);
  engine.makeTemplate = async (request, signal) => {
    await make(request, signal);
    // More than the disk has room for.
    writeSync(request.ram, randomBytes(8 * MEBIBYTE), 0, 8 * MEBIBYTE, 0);
  };
  const events: string[] = [];
  const boot = { kernelPath: '/boot/kernel', initrdPath: '/boot/initrd', commandLine: [] };
  const store = new TemplateStore({
    ...{ directory, runtimeDir, engine, bootMs: 5000 },
    boot: { current: async () => 'set', open: async () => boot },
    limits: { max: 8, maxAgeMs: 86_400_000, memoryBytes: 1024 * MEBIBYTE },
    inUse: () => new Set(),
    pinned: () => [],
    quiet: async () => undefined,
    tell: (action) => events.push(action),
    log: { info: () => undefined, error: () => undefined },
  });
  await store.open();
  let failure: string | undefined;
  try {
    await store.warm([1], () => undefined, new AbortController().signal);
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    failure = error.code;
  }
  const taken = await store.take({ cpus: 1, boot });
  const left = [...readdirSync(directory), ...readdirSync(runtimeDir)];
  await store.close();
  process.stdout.write(JSON.stringify({ failure, left, taken: taken !== undefined, events }));
}

void main(process.argv[2] ?? '');
