/**
 * The shim: the process that becomes one microVM.
 *
 * It reads its description, gives up its rights, configures libkrun and hands the process over.
 * libkrun runs on a thread of its own, so that this one still answers signals and moves the console
 * on.
 *
 * @module
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { KrunContext } from '../context.ts';
import { KrunError } from '../errors.ts';
import { LIBRARY_VARIABLE } from '../find-library.ts';
import { KrunLibrary } from '../library.ts';
import { hardenProcess, makePipe } from './c-library.ts';
import { SHIM_DESCRIPTORS } from './command.ts';
import { type ConsoleDescriptors, configure } from './configure.ts';
import { ConsoleFile } from './console-file.ts';
import { readDescription } from './description.ts';
import { dropPrivileges } from './privileges.ts';
import { type RunLine, writeLine } from './run-record.ts';

// The reader of standard error may end before the microVM does. An error that nobody handles would
// end this thread while libkrun's runs on.
process.stderr.on('error', () => {});

async function run(): Promise<never> {
  const description = readDescription(SHIM_DESCRIPTORS.description);
  closeSync(SHIM_DESCRIPTORS.description);
  dropPrivileges(description.identity);
  hardenProcess();
  const named = description.library ?? process.env[LIBRARY_VARIABLE];
  const library = KrunLibrary.load(description.variant, named);
  // Whatever can fail comes before the context is made.
  const { path, atLeast, missing } = library.report();
  const { console } = description;
  const ends = console === undefined ? undefined : openConsole(console.file);
  using context = configure(library, description, ends);
  const shutdown = shutdownDescriptor(context);
  process.on('SIGTERM', () => {
    askForShutdown(shutdown);
  });
  record({
    state: 'entering',
    library: path,
    atLeast,
    shutdown: shutdown !== undefined,
    missing: missing.map(({ name }) => name),
  });
  return await context.startEnter();
}

/** The guest writes into a pipe, which this process empties into the file. */
function openConsole(file: number): ConsoleDescriptors {
  const [reading, output] = makePipe();
  const kept = new ConsoleFile(file);
  new Socket({ fd: reading, readable: true, writable: false }).on('data', (bytes) => {
    kept.write(bytes);
  });
  return { input: openSync('/dev/null', 'r'), output };
}

/** Undefined where this libkrun has none: in 1.19.0 only macOS on aarch64 does. */
function shutdownDescriptor(context: KrunContext): number | undefined {
  try {
    return context.call('krun_get_shutdown_eventfd');
  } catch (error) {
    if (error instanceof KrunError && error.code === 'krun-refused') return undefined;
    throw error;
  }
}

function askForShutdown(descriptor: number | undefined): void {
  if (descriptor === undefined) {
    // The guest goes on: its agent can be asked, and SIGKILL ends it.
    process.stderr.write('krun-shim: this libkrun cannot ask the guest to shut down\n');
    return;
  }
  const one = Buffer.alloc(8);
  one.writeBigUInt64LE(1n);
  writeSync(descriptor, one);
}

function record(line: RunLine): void {
  writeSync(SHIM_DESCRIPTORS.record, writeLine(line));
}

run().catch((error: unknown) => {
  const known = error instanceof KrunError ? error : undefined;
  const message = known?.message ?? (error instanceof Error ? error.message : String(error));
  record({ state: 'failed', code: known?.code ?? 'krun-failed', message });
  process.stderr.write(`krun-shim: ${message}\n`);
  process.exit(1);
});
