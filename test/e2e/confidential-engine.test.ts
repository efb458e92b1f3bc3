import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { evidenceFromCertificateTable } from '@a3s-box/attestation/envelopes';
import {
  kernelHashes,
  kernelHashTable,
  measureOvmf,
  measureRecord,
  parseOvmf,
} from '@a3s-box/attestation/measure';
import { openSimulatedProcessor, verifySimulated } from '@a3s-box/attestation/simulated';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readBootSet } from '../../src/boot/bootset.ts';
import { cpio } from '../../src/boot/cpio.ts';
import { identityFor } from '../../src/cell/identity.ts';
import type { ConfidentialLaunch, Machine, MachineSpec } from '../../src/engine/engine.ts';
import type { ConfidentialSpec } from '../../src/engine/qemu/confidential/plan.ts';
import { closeSealed, sealFile } from '../../src/engine/qemu/confidential/sealed-file.ts';
import { spawnMeasured } from '../../src/engine/qemu/confidential/spawn.ts';
import { prepareDirectory } from '../../src/engine/qemu/directory.ts';
import { QemuEngine, type QemuEngineOptions } from '../../src/engine/qemu/engine.ts';
import { findVmm } from '../../src/engine/qemu/vmm.ts';
import { InstalledProcessor } from '../../src/engine/secure-processor/processor.ts';
import { firmwareVerdict, type HandedOver } from './support/firmware-verdict.ts';

const ID = 'c0'.repeat(32);
const LAUNCH_MS = 120_000;
const MEBIBYTE = 2 ** 20;
const HOST_DATA = new Uint8Array(32).fill(0x5d);
const VECTOR_STATE = resolve('test/vectors/simulated/state.json');

let root: string;
let home: string;
let runtimeDir: string;
let stateFile: string;
let options: QemuEngineOptions;
let engine: QemuEngine;
let spec: ConfidentialSpec;

beforeAll(async () => {
  const set = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  const { confidential: boot } = set;
  if (boot === undefined) throw new Error('the boot set has nothing for confidential boxes');
  // Short, since sockets lie in it.
  root = await mkdtemp(join(tmpdir(), 'conf-'));
  await chmod(root, 0o711);
  home = join(root, 'home');
  runtimeDir = join(root, 'box');
  stateFile = join(home, 'simulated', 'processor.json');
  await mkdir(join(home, 'simulated'), { recursive: true, mode: 0o700 });
  await chmod(home, 0o700);
  // Three RSA keys need not be made.
  await copyFile(VECTOR_STATE, stateFile);
  await chmod(stateFile, 0o600);
  await chmod(join(home, 'simulated'), 0o700);
  options = { boot: undefined, cacheFile: join(home, 'accelerator.json'), runtimeDir: root };
  engine = new QemuEngine(options);
  const [firmwarePath, kernelPath, initrdPath, layer] = [
    join(root, 'firmware'),
    join(root, 'kernel'),
    join(root, 'initrd'),
    join(root, 'layer'),
  ];
  await copyFile(boot.firmwarePath, firmwarePath);
  await copyFile(boot.kernelPath, kernelPath);
  await writeFile(initrdPath, relayInitrd());
  await writeFile(layer, 'layer', { mode: 0o444 });
  await truncate(layer, 4096);
  for (const path of [firmwarePath, kernelPath]) await chmod(path, 0o600);
  spec = {
    id: ID,
    runtimeDir,
    identity: identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []),
    cpus: 1,
    memoryBytes: 256 * MEBIBYTE,
    boot: { kernelPath, initrdPath, commandLine: boot.commandLines.simulated },
    disks: [{ path: layer, serial: 'layer-0', readonly: true }],
    nic: undefined,
    shares: [],
    confidential: {
      tee: 'simulated',
      firmwarePath,
      vcpuType: boot.vcpuType,
      policy: boot.policy,
      hostData: HOST_DATA,
      guestStatePath: join(home, 'guest.json'),
    },
  };
});

afterEach(async () => {
  await engine.sweep(ID, runtimeDir);
  await rm(runtimeDir, { recursive: true, force: true });
});

afterAll(() => rm(root, { recursive: true }));

/** A guest through which a test asks the processor what it likes. */
function relayInitrd(): Buffer {
  const program = join(root, 'init');
  const source = join(import.meta.dirname, 'port-relay-init.c');
  execFileSync('gcc', ['-static', '-O2', '-o', program, source]);
  return cpio([
    { kind: 'directory', path: 'dev', mode: 0o755 },
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, data: readFileSync(program) },
  ]);
}

async function launch(changes: Partial<MachineSpec> = {}): Promise<Machine> {
  await mkdir(runtimeDir);
  return engine.launch({ ...spec, ...changes }, AbortSignal.timeout(LAUNCH_MS));
}

interface Answer {
  readonly id: string;
  readonly report?: string;
  readonly certificates?: string;
  readonly key?: string;
}

let asked = 0;
const AGAIN_MS = 5000;

/** Asks as the agent does: again and again, since what is asked while nobody holds the port is lost. */
async function ask(stream: Duplex, request: Readonly<Record<string, unknown>>): Promise<Answer> {
  let text = '';
  const send = (): string => {
    asked += 1;
    const id = asked.toString(16).padStart(16, '0');
    stream.write(`\n${JSON.stringify({ id, ...request })}\n`);
    return id;
  };
  const ids = [send()];
  const again = setInterval(() => ids.push(send()), AGAIN_MS);
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      const lines = (text + String(chunk)).split('\n');
      text = lines.pop() ?? '';
      const answers: Answer[] = lines.map((line) => JSON.parse(line));
      const answer = answers.find(({ id }) => ids.includes(id));
      if (answer !== undefined) return answer;
    }
  } finally {
    clearInterval(again);
  }
  throw new Error('the stream ended');
}

const REPORT = { op: 'report', reportData: '7e'.repeat(64) };
const KEY = { op: 'derive-key', rootKey: 'VMRK', fields: [], vmpl: 0, guestSvn: 0, tcb: '0' };

/** What a verifier makes of a report that came out of the guest. */
async function claimsOf({ report = '', certificates = '' }: Answer) {
  const evidence = evidenceFromCertificateTable(
    new Uint8Array(Buffer.from(report, 'base64')),
    new Uint8Array(Buffer.from(certificates, 'base64')),
  );
  const processor = await openSimulatedProcessor({ stateFile });
  return verifySimulated(evidence, processor.roots(), { now: new Date() }).claims;
}

function measured(): string {
  const { kernelPath, initrdPath, commandLine } = spec.boot;
  return measureOvmf({
    vmm: 'qemu',
    ovmf: new Uint8Array(readFileSync(spec.confidential.firmwarePath)),
    kernel: new Uint8Array(readFileSync(kernelPath)),
    initrd: new Uint8Array(readFileSync(initrdPath)),
    append: commandLine.join(' '),
    vcpus: spec.cpus,
    vcpuType: spec.confidential.vcpuType,
  }).digest;
}

/** Every file below the root, but for what is no file. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

it('boots what was measured, answers for it, and goes on when a server adopts it', async () => {
  const machine = await launch();
  const signal = AbortSignal.timeout(LAUNCH_MS);
  const { launched } = machine;
  if (launched === undefined) throw new Error('there is no launch record');
  expect(launched.digest).toBe(measured());
  expect(measureRecord(launched).digest).toBe(launched.digest);
  expect((await stat(spec.confidential.guestStatePath)).mode & 0o777).toBe(0o600);

  const stream = await machine.connect(signal);
  const before = await claimsOf(await ask(stream, REPORT));
  expect(before).toMatchObject({
    measurement: launched.digest,
    hostData: Buffer.from(HOST_DATA).toString('hex'),
    reportData: REPORT.reportData,
    policy: { raw: 0x30000n, debug: false },
  });
  const { key } = await ask(stream, KEY);
  expect(key).toMatch(/^(?!0{64})[0-9a-f]{64}$/);

  // A guest that shouts is read at a measured pace, and understood when it speaks again.
  stream.write(`${'x'.repeat(300_000)}\n${'{"id":7}\n'.repeat(5)}`);
  expect(await ask(stream, { ...KEY, vmpl: 9 })).toMatchObject({ error: { code: 'malformed' } });

  // There is nothing to look at it through, and nothing of it in a file.
  expect(await machine.console()).toHaveLength(0);
  expect(readFileSync(`/proc/${machine.pid}/limits`, 'utf8')).toMatch(
    /^Max core file size\s+0\s+0\s/m,
  );
  for (const line of readFileSync(`/proc/${machine.pid}/maps`, 'utf8').trim().split('\n')) {
    const [, access = '', , device] = line.split(/\s+/);
    // What is mapped shared and writable ends in a file; in memory, which has no device, nothing does.
    if (/^rw.s$/.test(access)) expect(device).toBe('00:01');
  }
  const inFile = Buffer.from(REPORT.reportData);
  for (const path of filesBelow(root)) expect(readFileSync(path).includes(inFile)).toBe(false);
  await expect(machine.insert([])).rejects.toMatchObject({ code: 'unsupported-option' });
  await expect(
    machine.save({ directory: root, overlayPath: join(root, 'overlay') }, signal),
  ).rejects.toMatchObject({ code: 'unsupported-option' });

  stream.destroy();
  await machine.release();
  const other = new QemuEngine(options);
  const adopted = await other.adopt(ID, runtimeDir, spec.confidential);
  if (adopted === undefined) throw new Error('the machine is gone');
  expect(adopted.pid).toBe(machine.pid);
  expect(adopted.launched).toBeUndefined();
  const again = await adopted.connect(signal);
  const after = await claimsOf(await ask(again, REPORT));
  expect(after.reportId).toBe(before.reportId);
  expect((await ask(again, KEY)).key).toBe(key);
  again.write('poweroff\n');
  expect(await adopted.exited).toEqual({ reason: 'poweroff', detail: '' });
  expect(readdirSync(runtimeDir)).toEqual([]);
});

it('is not adopted where nobody can answer for it any more', async () => {
  const machine = await launch();
  await machine.release();
  const { guestStatePath } = spec.confidential;
  const kept = await readFile(guestStatePath, 'utf8');
  const adopt = (): Promise<unknown> =>
    new QemuEngine(options).adopt(ID, runtimeDir, spec.confidential);
  for (const text of [
    kept.replace(ID, 'c1'.repeat(32)),
    kept.slice(0, 100),
    kept.replace('"version":1', '"version":2'),
  ]) {
    writeFileSync(guestStatePath, text);
    await expect(adopt()).rejects.toMatchObject({ code: 'state-unusable' });
  }
});

it('gets what was measured, whatever becomes of the files meanwhile', async () => {
  const paths = [spec.confidential.firmwarePath, spec.boot.kernelPath, spec.boot.initrdPath];
  const originals = paths.map((path) => readFileSync(path));
  const expected = measured();
  await mkdir(runtimeDir);
  await prepareDirectory(runtimeDir, spec.identity);
  const [firmware, kernel, initrd] = await Promise.all(
    paths.map((path) => sealFile(path, 2 ** 28)),
  );
  if (firmware === undefined || kernel === undefined || initrd === undefined)
    throw new Error('none');
  try {
    for (const path of paths) writeFileSync(path, 'another');
    const processor = new InstalledProcessor(stateFile);
    const sealed = { firmware, kernel, initrd };
    const plan = { spec, accelerator: 'tcg' } as const;
    const { helper, launched, guest } = await spawnMeasured(plan, sealed, processor);
    expect(launched.digest).toBe(expected);
    expect(guest?.measurement).toBe(expected);
    await expect.poll(() => findVmm(ID, runtimeDir)).toBeDefined();
    const pid = findVmm(ID, runtimeDir)?.pid;
    for (const [index, original] of originals.entries()) {
      const held = `/proc/${pid}/fd/${3 + index}`;
      expect(sha256(readFileSync(held))).toBe(sha256(original));
      // Not even by the server's own user.
      await expect(writeFile(held, 'x', { flag: 'r+' })).rejects.toMatchObject({
        code: /EPERM|EACCES/,
      });
    }
    helper.release();
  } finally {
    await Promise.all([firmware, kernel, initrd].map(closeSealed));
    for (const [index, path] of paths.entries()) writeFileSync(path, originals[index] ?? '');
  }
});

it('is refused with firmware that would start a kernel unchecked', async () => {
  const firmware = readFileSync(spec.confidential.firmwarePath);
  // The entry that says where the table is: 7255371f-3a3b-4b04-927b-1da6efa8d454, as bytes.
  const entry = firmware.lastIndexOf(Buffer.from('1f375572', 'hex'));
  expect(entry).toBeGreaterThan(0);
  const changed = join(root, 'unchecking');
  await writeFile(changed, flipped(firmware, entry));
  const confidential: ConfidentialLaunch = { ...spec.confidential, firmwarePath: changed };
  await expect(launch({ confidential })).rejects.toMatchObject({
    code: 'unsupported-option',
    cause: { code: 'ovmf-no-kernel-hashes' },
  });
  expect(readdirSync(runtimeDir)).toEqual([]);
});

it.each(['firmware', 'kernel', 'initrd', 'command line'] as const)(
  'has another measurement with one bit of the %s flipped',
  async (what) => {
    const changed = join(root, 'changed');
    const path = {
      firmware: spec.confidential.firmwarePath,
      kernel: spec.boot.kernelPath,
      initrd: spec.boot.initrdPath,
      'command line': undefined,
    }[what];
    if (path !== undefined) {
      const bytes = readFileSync(path);
      await writeFile(changed, flipped(bytes, bytes.length >> 1));
    }
    const confidential =
      what === 'firmware' ? { ...spec.confidential, firmwarePath: changed } : spec.confidential;
    const boot = {
      kernelPath: what === 'kernel' ? changed : spec.boot.kernelPath,
      initrdPath: what === 'initrd' ? changed : spec.boot.initrdPath,
      commandLine:
        what === 'command line' ? [...spec.boot.commandLine, 'debug'] : spec.boot.commandLine,
    };
    const machine = await launch({ confidential, boot });
    expect(machine.launched?.digest).toMatch(/^[0-9a-f]{96}$/);
    expect(machine.launched?.digest).not.toBe(measured());
    await machine.kill();
  },
);

describe('the firmware', () => {
  const CHANGES = {
    'what was measured': (handed) => handed,
    'another kernel': (handed) => ({
      ...handed,
      kernel: flipped(handed.kernel, handed.kernel.length >> 1),
    }),
    'another initrd': (handed) => ({
      ...handed,
      initrd: flipped(handed.initrd, handed.initrd.length - 600),
    }),
    'another table': (handed) => ({
      ...handed,
      table: handed.table && { ...handed.table, bytes: flipped(handed.table.bytes, 100) },
    }),
    'a table that it does not know': (handed) => ({
      ...handed,
      table: handed.table && { ...handed.table, bytes: flipped(handed.table.bytes, 0) },
    }),
    'no table': (handed) => ({ ...handed, table: undefined }),
  } satisfies Record<string, (handed: HandedOver) => HandedOver>;

  function handedOver(): HandedOver {
    const firmware = readFileSync(spec.confidential.firmwarePath);
    const kernel = new Uint8Array(readFileSync(spec.boot.kernelPath));
    const initrd = new Uint8Array(readFileSync(spec.boot.initrdPath));
    const bytes = kernelHashTable(kernelHashes(kernel, initrd, spec.boot.commandLine.join(' ')));
    const address = parseOvmf(firmware).hashTableGpa ?? 0;
    return { firmware, kernel, initrd, table: { bytes, address } };
  }

  async function verdict(
    handed: HandedOver,
    changes: Pick<MachineSpec, 'boot'> = spec,
  ): Promise<string> {
    const own = { ...spec, boot: changes.boot, runtimeDir: join(root, 'fw'), disks: [] };
    return await firmwareVerdict(own, handed, AbortSignal.timeout(LAUNCH_MS));
  }

  it.each(Object.entries(CHANGES))('decides over %s', async (name, change) => {
    const expected = name === 'what was measured' ? 'started' : 'refused';
    expect(await verdict(change(handedOver()))).toBe(expected);
  });

  it('refuses another command line', async () => {
    const boot = { ...spec.boot, commandLine: [...spec.boot.commandLine, 'debug'] };
    expect(await verdict(handedOver(), { boot })).toBe('refused');
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
