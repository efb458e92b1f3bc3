import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { evidenceFromCertificateTable } from '@a3s-box/attestation/envelopes';
import { measureOvmf, measureRecord } from '@a3s-box/attestation/measure';
import { openSimulatedProcessor, verifySimulated } from '@a3s-box/attestation/simulated';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { findVmm } from '../../src/engine/qemu/boot/vmm.ts';
import type { ConfidentialSpec } from '../../src/engine/qemu/confidential/plan.ts';
import { closeSealed, sealFile } from '../../src/engine/qemu/confidential/sealed-file.ts';
import { spawnMeasured } from '../../src/engine/qemu/confidential/spawn-measured.ts';
import type { QemuEngine, QemuEngineOptions } from '../../src/engine/qemu/qemu-engine.ts';
import { prepareDirectory } from '../../src/engine/runtime-directory.ts';
import { InstalledProcessor } from '../../src/engine/secure-processor/processor.ts';
import type { ConfidentialLaunch } from '../../src/engine/vm/confidential-launch.ts';
import type { Vm } from '../../src/engine/vm/vm.ts';
import type { VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { confidentialPlace, flipped } from './support/confidential-vm.ts';
import { closeEngines, openEngine } from './support/engines.ts';
import { scaled } from './time-scale.ts';

const ID = 'c0'.repeat(32);
const LAUNCH_MS = scaled(120_000);

let root: string;
let runtimeDir: string;
let stateFile: string;
let options: QemuEngineOptions;
let engine: QemuEngine;
let spec: ConfidentialSpec;

beforeAll(async () => {
  ({ root, stateFile, options, spec } = await confidentialPlace(ID));
  ({ runtimeDir } = spec);
  engine = openEngine(options);
});

afterEach(async () => {
  await engine.sweep(ID, runtimeDir);
  await rm(runtimeDir, { recursive: true, force: true });
});

afterAll(async () => {
  await closeEngines();
  await rm(root, { recursive: true });
});

async function launch(changes: Partial<VmSpec> = {}): Promise<Vm> {
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
/** The beginning of a line whose end a stream has not brought yet: that of an answer to a request
 *  that was sent again. */
const unfinished = new WeakMap<Duplex, string>();

/**
 * Asks as the agent does: again and again, since what is asked while nobody holds the port is lost.
 */
async function ask(stream: Duplex, request: Readonly<Record<string, unknown>>): Promise<Answer> {
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
      const lines = ((unfinished.get(stream) ?? '') + String(chunk)).split('\n');
      unfinished.set(stream, lines.pop() ?? '');
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

it('boots what was measured, answers its report requests, and is adopted by another server', async () => {
  const vm = await launch({ nic: { mac: '02:00:00:00:00:01', ports: [] } });
  const signal = AbortSignal.timeout(LAUNCH_MS);
  const { launched } = vm;
  if (launched === undefined) throw new Error('there is no launch record');
  expect(launched.digest).toBe(measured());
  expect(measureRecord(launched).digest).toBe(launched.digest);
  expect((await stat(spec.confidential.guestStatePath)).mode & 0o777).toBe(0o600);

  const stream = await vm.connect(signal);
  const before = await claimsOf(await ask(stream, REPORT));
  expect(before).toMatchObject({
    measurement: launched.digest,
    hostData: Buffer.from(spec.confidential.hostData).toString('hex'),
    reportData: REPORT.reportData,
    policy: { raw: 0x30000n, debug: false },
  });
  const { key } = await ask(stream, KEY);
  expect(key).toMatch(/^(?!0{64})[0-9a-f]{64}$/);

  // A guest that shouts is read at a measured pace, and understood when it speaks again.
  stream.write(`${'x'.repeat(300_000)}\n${'{"id":7}\n'.repeat(5)}`);
  expect(await ask(stream, { ...KEY, vmpl: 9 })).toMatchObject({ error: { code: 'malformed' } });

  // There is nothing to look at it through, and nothing of it in a file.
  expect(await vm.console()).toHaveLength(0);
  expect(readFileSync(`/proc/${vm.pid}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m);
  for (const line of readFileSync(`/proc/${vm.pid}/maps`, 'utf8').trim().split('\n')) {
    const [, access = '', , device] = line.split(/\s+/);
    // What is mapped shared and writable ends in a file; in memory, which has no device, nothing
    // does.
    if (/^rw.s$/.test(access)) expect(device).toBe('00:01');
  }
  const inFile = Buffer.from(REPORT.reportData);
  for (const path of filesBelow(root)) expect(readFileSync(path).includes(inFile)).toBe(false);
  await expect(vm.attach([])).rejects.toMatchObject({ code: 'unsupported-option' });
  await expect(
    vm.save({ directory: root, overlayPath: join(root, 'overlay') }, signal),
  ).rejects.toMatchObject({ code: 'unsupported-option' });

  stream.destroy();
  await vm.release();
  const other = openEngine(options);
  const adopted = await other.adopt(ID, runtimeDir, spec.confidential);
  if (adopted === undefined) throw new Error('the microVM is gone');
  expect(adopted.pid).toBe(vm.pid);
  expect(adopted.launched).toBeUndefined();
  const again = await adopted.connect(signal);
  const after = await claimsOf(await ask(again, REPORT));
  expect(after.reportId).toBe(before.reportId);
  expect((await ask(again, KEY)).key).toBe(key);
  again.write('poweroff\n');
  expect(await adopted.exited).toEqual({ reason: 'poweroff', detail: '' });
  expect(readdirSync(runtimeDir)).toEqual([]);
});

it('adopts no confidential microVM whose processor state is damaged', async () => {
  const vm = await launch();
  await vm.release();
  const { guestStatePath } = spec.confidential;
  const kept = await readFile(guestStatePath, 'utf8');
  const adopt = (): Promise<unknown> =>
    openEngine(options).adopt(ID, runtimeDir, spec.confidential);
  for (const text of [
    kept.replace(ID, 'c1'.repeat(32)),
    kept.slice(0, 100),
    kept.replace('"version":1', '"version":2'),
  ]) {
    writeFileSync(guestStatePath, text);
    await expect(adopt()).rejects.toMatchObject({ code: 'state-unusable' });
  }
});

it('launches the measured files although their originals are changed meanwhile', async () => {
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
    const { helper, launched, guest } = await spawnMeasured(
      plan,
      sealed,
      processor,
      new AbortController().signal,
    );
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

it('refuses firmware that would start a kernel unchecked', async () => {
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

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
