/**
 * The converter's program: decompresses, checks and converts the layers of one disk, in a jail.
 *
 * It has no file of its own: the program, the job, the blobs and the disk are descriptors. `zstd`
 * runs beside it in the same jail.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { createReadStream, ftruncate, read, write } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { A3sError } from '../../errors.ts';
import type { JailProgram } from '../../jail/jail.ts';
import { findTool } from '../../jail/tools.ts';
import { DiskBudget, explainDiskError } from '../disk-budget.ts';
import { convertLayers, type LayerSource, verifyLayer } from '../layer/convert.ts';
import type { ScratchFile } from '../layer/scratch.ts';
import { JOB_DESCRIPTOR, type Job, type JobLayer } from './job.ts';

async function run(job: Job): Promise<object> {
  const options = { limits: job.limits, spawn: startBeside };
  const layers = job.layers.map(sourceOf);
  if (job.output === null) {
    for (const layer of layers) await verifyLayer(layer, options);
    return { result: 'verified' };
  }
  const written = await convertLayers(
    { layers, below: job.below?.map(sourceOf) },
    fileOf(job.output),
    new DiskBudget(job.directory, job.space),
    job.scratch === null ? options : { ...options, scratch: fileOf(job.scratch) },
  );
  return { result: written ? 'written' : 'depends' };
}

function sourceOf({ diffId, size, fd }: JobLayer): LayerSource {
  // Read by position: the layer is read more than once.
  const from = { fd, start: 0, autoClose: false, highWaterMark: 256 * 1024 };
  return { diffId, size, open: () => createReadStream('', from) };
}

function fileOf(fd: number): ScratchFile {
  const readAt = promisify(read);
  const writeAt = promisify(write);
  const truncateTo = promisify(ftruncate);
  return {
    read: (bytes, offset, length, position) => readAt(fd, bytes, offset, length, position),
    write: (bytes, offset, length, position) => writeAt(fd, bytes, offset, length, position),
    truncate: (length) => truncateTo(fd, length),
  };
}

/** This process is in a jail, and what it starts is too. */
async function startBeside({ path, args, limits }: JailProgram) {
  const bound = `--as=${limits.addressSpaceBytes ?? 'unlimited'}`;
  return spawn(await findTool('prlimit'), [bound, '--', path, ...args], { stdio: 'pipe' });
}

function failure(error: unknown): object {
  if (!(error instanceof A3sError)) throw error;
  const { code, message, remedy } = error;
  return { result: 'failed', code, message, ...(remedy === undefined ? {} : { remedy }) };
}

async function main(): Promise<void> {
  // The server wrote it: nothing here comes from an image but numbers and digests that it has
  // checked.
  const job = JSON.parse(await text(new Socket({ fd: JOB_DESCRIPTOR }))) as Job;
  const answer = await run(job).catch((error: unknown) =>
    failure(explainDiskError(error, job.directory)),
  );
  process.stdout.write(JSON.stringify(answer));
}

void main();
