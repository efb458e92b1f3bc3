/**
 * Runs a program in a microVM of a chosen engine and accelerator, to see whether boxes can run so
 * here.
 *
 * The microVM is that of a plain box without an image, a network or a record: engine, jail, kernel,
 * agent, layer and confinement are a box's.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BoxSpec } from '@a3s-box/policies';
import { PROBE_DIRECTORIES } from '../../engine/engine.ts';
import type { EngineName } from '../../engine/engine-name.ts';
import type { GuestArchitecture } from '../../engine/vm/guest-boot.ts';
import type { Vm } from '../../engine/vm/vm.ts';
import type { Accelerator } from '../../engine/vm/vm-spec.ts';
import { A3sError } from '../../errors.ts';
import { connectGuest } from '../../guest/connection.ts';
import type { Guest } from '../../guest/guest.ts';
import { MAIN } from '../../guest/protocol.ts';
import { SELF_TEST_IDENTITY } from '../../jail/identity.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { writeProgramDisk } from '../disks/program-disk.ts';
import { makeRuntimeDirectory } from '../record/directories.ts';
import { NO_LIMITS } from '../record/limits.ts';
import { NO_SECURITY } from '../record/security.ts';
import type { Services } from '../services/services.ts';
import { specDocument } from '../spec/box-spec.ts';
import { vmMemory } from '../spec/resources.ts';
import { SELF_TEST_LINE, SELF_TEST_STATUS, selfTestProgram } from './program.ts';

/** Names the microVM. No box has it: one self-test runs at a time. */
const ID = 'f'.repeat(64);
const LOCK = 'self-test';
const PROGRAM = 'self-test';
const SERIAL = 'layer-0';
const MEMORY = 128 * 2 ** 20;
/** For everything but the guest's boot. */
const REST_MS = 60_000;
/** More output than any that is right. */
const MOST_OUTPUT = 4096;

export type SelfTestHost = Pick<
  Services,
  'engine' | 'boot' | 'home' | 'runtimeDir' | 'startTimeoutMs' | 'locks' | 'shutdown'
>;

/** What executes the microVM. */
export interface SelfTestWay {
  readonly engine: EngineName;
  /** Of QEMU. */
  readonly accelerator?: Accelerator;
}

/** What a self-test found. Times are in milliseconds. */
export interface SelfTest extends SelfTestWay {
  /** The guest's kernel, such as `6.12.0-amd64`. */
  readonly kernel: string;
  /** Until the VMM runs with all its devices. */
  readonly launchMs: number;
  /** Until the agent answers: the guest has booted. */
  readonly bootMs: number;
  /** Until the program has ended, in its confinement, with its output read. */
  readonly runMs: number;
}

/**
 * Runs one. Leaves no process and no file behind.
 *
 * @throws A3sError `accelerator-unavailable`, `engine-unavailable`, `vmm-failed`, `agent-timeout`
 * with the end of the guest's console, `agent-failed` and others of a start; the signal's reason
 */
export async function selfTest(
  rt: SelfTestHost,
  way: SelfTestWay,
  signal: AbortSignal,
): Promise<SelfTest> {
  return await rt.locks.run(LOCK, async () => {
    signal.throwIfAborted();
    const timeout = AbortSignal.timeout(rt.startTimeoutMs + REST_MS);
    const runtimeDir = join(rt.runtimeDir, PROBE_DIRECTORIES.selfTest);
    const identity = selfTestIdentity();
    await makeRuntimeDirectory(runtimeDir, identity);
    const layer = join(rt.home, `${PROGRAM}.erofs`);
    try {
      await rm(layer, { force: true });
      return await run(rt, { way, runtimeDir, identity, layer }, [signal, timeout]);
    } catch (error) {
      signal.throwIfAborted();
      if (!timeout.aborted) throw error;
      throw new A3sError('agent-timeout', 'The self-test took too long', { cause: error });
    } finally {
      await rt.engine.sweep(ID, runtimeDir);
      await rm(runtimeDir, { recursive: true, force: true });
      await rm(layer, { force: true });
    }
  });
}

/** As root an identity of its own: one that no box has now may be given to one meanwhile. */
function selfTestIdentity(): JailIdentity {
  const uid = process.geteuid?.() ?? 0;
  return uid === 0 ? SELF_TEST_IDENTITY : { uid, gid: process.getegid?.() ?? 0 };
}

interface Attempt {
  readonly way: SelfTestWay;
  readonly runtimeDir: string;
  readonly identity: JailIdentity;
  readonly layer: string;
}

async function run(
  rt: SelfTestHost,
  { way, runtimeDir, identity, layer }: Attempt,
  signals: AbortSignal[],
): Promise<SelfTest> {
  const signal = AbortSignal.any(signals);
  const boot = await rt.boot.open(await rt.boot.current());
  const architecture: GuestArchitecture = boot.architecture ?? 'amd64';
  await writeProgramDisk(layer, PROGRAM, selfTestProgram(architecture));
  const began = performance.now();
  const vm = await rt.engine.launch(
    {
      ...{ id: ID, runtimeDir, identity, cpus: 1, memoryBytes: vmMemory(MEMORY), boot },
      ...{ ...way, nic: undefined, shares: [] },
      disks: [{ path: layer, serial: SERIAL, readonly: true }],
    },
    signal,
  );
  const launched = performance.now();
  let guest: Guest | undefined;
  try {
    guest = await connectGuest(vm, { signal, deadlineMs: rt.startTimeoutMs });
    const booted = performance.now();
    await runProgram(guest, signal);
    return {
      ...way,
      kernel: guest.hello?.kernel ?? '',
      launchMs: Math.round(launched - began),
      bootMs: Math.round(booted - launched),
      runMs: Math.round(performance.now() - booted),
    };
  } finally {
    guest?.close();
    await end(vm);
  }
}

async function end(vm: Vm): Promise<void> {
  await vm.kill();
  await vm.exited;
  await vm.release();
}

async function runProgram(guest: Guest, signal: AbortSignal): Promise<void> {
  await guest.putSpec(spec(), signal);
  await guest.startMain(signal);
  const output: Buffer[] = [];
  let bytes = 0;
  for await (const { data } of await guest.output(MAIN, 0, signal)) {
    bytes += data.length;
    if (bytes > MOST_OUTPUT) break;
    output.push(data);
  }
  const { exitCode } = await guest.exit(MAIN, signal);
  const text = Buffer.concat(output).toString('latin1');
  if (exitCode === SELF_TEST_STATUS && text === SELF_TEST_LINE) return;
  throw new A3sError(
    'agent-failed',
    `The program of the self-test exited with ${exitCode} and wrote ${bytes} bytes; expected ${SELF_TEST_STATUS} and ${SELF_TEST_LINE.length}`,
    { remedy: 'The boot set or the emulated processor is faulty; report it.' },
  );
}

function spec(): BoxSpec {
  const definition = {
    ...{ hostname: PROGRAM, entrypoint: [], cmd: [`/bin/${PROGRAM}`], env: [], cwd: '/', user: '' },
    ...{ terminal: false, openStdin: false, memoryBytes: MEMORY, nanoCpus: 0 },
    limits: NO_LIMITS,
    security: NO_SECURITY,
  };
  return specDocument(definition, {
    layers: [{ serial: SERIAL }],
    changes: { kind: 'memory' },
    mounts: [],
    network: { kind: 'none' },
  });
}
