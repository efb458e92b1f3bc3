/**
 * Where the simulated secure processor keeps a guest that it launched, so that a later server can
 * answer for it.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { SimulatedGuestState } from '@a3s-box/attestation/simulated';
import * as z from 'zod';
import { renameDurably } from '../../durable.ts';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { parseJson } from '../../parse-json.ts';

const SCHEMA = 'a3s-box/simulated-guest-file/v1';
const MAX_BYTES = 16 * 1024;
const OTHERS = 0o077;

const GuestFile = z.strictObject({
  schema: z.literal(SCHEMA),
  /** The VM's id: the file of another VM is refused. */
  machine: z.string().regex(/^[0-9a-f]{64}$/),
  /** Any value: the processor checks it. */
  guest: z.unknown(),
});

/**
 * Keeps the guest of a VM in a file of mode 0600, which replaces an earlier one.
 *
 * @throws A3sError `state-unusable`
 */
export async function writeGuestFile(
  path: string,
  machine: string,
  guest: SimulatedGuestState,
): Promise<void> {
  const staged = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    const file = await open(staged, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ schema: SCHEMA, machine, guest })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameDurably(staged, path);
  } catch (cause) {
    await rm(staged, { force: true });
    throw unusable(path, 'it cannot be written', cause);
  }
}

/**
 * Reads what {@link writeGuestFile} wrote for that VM.
 *
 * @throws A3sError `state-unusable` where it is missing, damaged, another VM's, or open to others
 */
export async function readGuestFile(path: string, machine: string): Promise<unknown> {
  let text: string;
  try {
    // Does not follow a link, and does not wait for a writer if the file is a pipe.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      text = await readPrivate(path, file);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof A3sError) throw cause;
    throw unusable(path, 'it cannot be read', cause);
  }
  const read = narrow(GuestFile, parseJson(text));
  if (!read.success) throw unusable(path, 'it is damaged', read.error);
  if (read.data.machine !== machine) throw unusable(path, 'it is that of another microVM');
  return read.data.guest;
}

async function readPrivate(path: string, file: FileHandle): Promise<string> {
  const stats = await file.stat();
  if (!stats.isFile() || stats.uid !== process.geteuid?.() || (stats.mode & OTHERS) !== 0) {
    throw unusable(path, 'it is not a file of this user alone');
  }
  if (stats.size > MAX_BYTES) throw unusable(path, `it has ${stats.size} bytes`);
  return await file.readFile('utf8');
}

function unusable(path: string, why: string, cause?: unknown): A3sError {
  return new A3sError(
    'state-unusable',
    `Cannot use what the simulated secure processor knows of a guest (${path}): ${why}`,
    { cause, remedy: 'Remove the box, and run it anew.' },
  );
}
