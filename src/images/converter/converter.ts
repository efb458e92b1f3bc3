/**
 * Converts layers to disks in a separate process, in a jail. Decompression, tar and EROFS code
 * never handle a layer's bytes in the server.
 *
 * The server believes the process's answer. A layer that takes it over can therefore forge the disk
 * that is being made, and the check of the diff IDs with it; a disk that merges layers, or takes
 * directories from those below, counts as theirs too. The layer can do no more than that: the
 * process holds descriptors of these blobs and of this one disk, and sees no other file.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import type { SpawnInJail } from '../../jail/decoder.ts';
import { converterIdentity } from '../../jail/identity.ts';
import type { JailProgram } from '../../jail/jail.ts';
import { narrow } from '../../narrow.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseJson } from '../../parse-json.ts';
import { openNameless } from '../content/files.ts';
import type { DiskBudget } from '../disk-budget.ts';
import type { Limits } from '../limits.ts';
import type { Job, JobLayer } from './job.ts';

/** A layer's blob as a file. */
export interface StoredLayer {
  readonly diffId: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly path: string;
}

/** What to do with the layers; see `convertLayers` and `verifyLayer`. */
export interface Conversion {
  readonly layers: readonly StoredLayer[];
  readonly below: readonly StoredLayer[] | undefined;
  /** Empty and open for writing; undefined to check the layers only. */
  readonly output: FileHandle | undefined;
  readonly budget: DiskBudget;
  readonly limits: Limits;
}

/** @returns false when a disk depends on layers below that it was not given */
export type Converter = (conversion: Conversion) => Promise<boolean>;

const DEADLINE_MS = 60 * 60 * 1000;
/** Memory for JavaScript objects: a million files need one GiB, and two million need two. */
const HEAP_MIB = 3072;
/** Of buffers, of threads, and of decoders. */
const OTHER_MIB = 4096;
/** Descriptors for the layers of the largest image, and for the files that Node opens. */
const OPEN_FILES = 512;
/** Threads and decoders; of all converters together. */
const PROCESSES = 1024;
const MAX_ANSWER = 64 * 1024;
const MAX_COMPLAINT = 4096;

const ANSWER = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal(['written', 'depends', 'verified']) }),
  z.strictObject({
    result: z.literal('failed'),
    code: z.literal(['invalid-image', 'too-large', 'disk-full', 'tool-missing']),
    message: z.string().max(8192),
    remedy: z.string().max(1024).optional(),
  }),
]);

/**
 * @param program the bundle of `main.ts`
 * @returns a converter that starts it once for each job
 */
export function converterInJail(program: string, spawn: SpawnInJail): Converter {
  return async (conversion) => {
    const opened: FileHandle[] = [];
    const openFile = async (path: string): Promise<number> => {
      const file = await open(path, 'r');
      opened.push(file);
      return file.fd;
    };
    try {
      const stdio: (number | 'pipe')[] = [await openFile(program), 'pipe', 'pipe', 'pipe'];
      const pass = async (layer: StoredLayer): Promise<JobLayer> => {
        const fd = stdio.push(await openFile(layer.path).catch(explainMissing(layer))) - 1;
        return { diffId: layer.diffId, size: layer.size, fd };
      };
      const { output, budget, limits } = conversion;
      const layers: JobLayer[] = [];
      for (const layer of conversion.layers) layers.push(await pass(layer));
      const below: JobLayer[] = [];
      for (const layer of conversion.below ?? []) below.push(await pass(layer));
      const scratch = output && (await openNameless(budget.directory));
      if (scratch !== undefined) opened.push(scratch);
      const job: Job = {
        layers,
        below: conversion.below === undefined ? null : below,
        output: output === undefined ? null : stdio.push(output.fd) - 1,
        scratch: scratch === undefined ? null : stdio.push(scratch.fd) - 1,
        space: budget.left,
        directory: budget.directory,
        limits,
      };
      return await converse(await spawn(await jailProgram(stdio, job)), job);
    } finally {
      await Promise.all(opened.map((file) => file.close()));
    }
  };
}

/** The jail of a converter with these descriptors. */
export async function jailProgram(
  stdio: JailProgram['stdio'],
  { layers, limits }: Pick<Job, 'layers' | 'limits'>,
): Promise<JailProgram> {
  const node = process.execPath;
  const isSystems = node.startsWith('/usr/');
  if (!isSystems) await checkReachable(node);
  return {
    path: node,
    // The program comes on standard input, since the jail may not be able to read its directory.
    args: [`--max-old-space-size=${HEAP_MIB}`, '-'],
    identity: converterIdentity(),
    stdio,
    writable: [],
    readable: isSystems ? [] : [node],
    network: false,
    filter: { memoryFiles: false },
    outlives: false,
    limits: {
      openFiles: OPEN_FILES,
      processes: PROCESSES,
      dataBytes: (HEAP_MIB + OTHER_MIB) * 2 ** 20,
      fileBytes: Math.max(1, layers.length) * limits.layerBytes * 2,
    },
  };
}

/** For root, whose converters run as another user. @throws A3sError `tool-missing` */
async function checkReachable(node: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  for (let path = node; path !== '/'; path = dirname(path)) {
    const file = await open(path, constants.O_RDONLY);
    const { mode } = await file.stat().finally(() => file.close());
    if ((mode & 0o001) !== 0) continue;
    throw new A3sError('tool-missing', `Cannot convert images: only root can start ${node}`, {
      remedy: `Use a Node.js that others can start, such as the system's, or allow it: chmod o+x ${path}`,
    });
  }
}

async function converse(child: ChildProcess, job: Job): Promise<boolean> {
  const [, stdout, stderr, jobPipe] = child.stdio as (Readable | Writable | null)[] as [
    null,
    Readable,
    Readable,
    Writable,
  ];
  const ended = new Promise<string>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`)),
  );
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  const answer = collect(stdout, MAX_ANSWER, () => child.kill('SIGKILL'));
  const complaint = collect(stderr, MAX_COMPLAINT, () => undefined);
  // The process may exit before it has read the job; its exit reports that.
  jobPipe.on('error', () => undefined);
  jobPipe.end(JSON.stringify(job));
  const end = await ended;
  clearTimeout(deadline);
  return judge(answer.text(), `${end}: ${onOneLine(complaint.text().trim().slice(-300))}`);
}

function judge(text: string, end: string): boolean {
  const parsed = narrow(ANSWER, parseJson(text));
  if (!parsed.success) {
    throw new A3sError('invalid-image', `Cannot convert a layer: its converter ended with ${end}`, {
      remedy: 'The layer may be too large for the memory of this host, or made to do harm.',
    });
  }
  const answer = parsed.data;
  if (answer.result !== 'failed') return answer.result !== 'depends';
  const { code, message, remedy } = answer;
  throw new A3sError(code, onOneLine(message), {
    remedy: remedy === undefined ? undefined : onOneLine(remedy),
  });
}

/** A layer may have produced the text, so it must hold no terminal control characters. */
function onOneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function collect(stream: Readable, max: number, onTooMuch: () => void): { text(): string } {
  let bytes = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    if (bytes.length + chunk.length > max) onTooMuch();
    bytes = Buffer.concat([bytes, chunk.subarray(0, max - bytes.length)]);
  });
  return { text: () => bytes.toString('utf8') };
}

/** @returns a handler that names the remedy for a missing blob */
export function explainMissing({ diffId }: StoredLayer): (cause: unknown) => never {
  return (cause) => {
    const gone = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (!gone) throw cause;
    throw new A3sError('invalid-image', `Cannot read layer ${diffId}: its blob is missing`, {
      remedy: 'Load the image again.',
      cause,
    });
  };
}
