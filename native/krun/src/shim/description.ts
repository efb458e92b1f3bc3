/**
 * What the shim is to do: one JSON document, which the server writes and the shim reads once.
 *
 * The checks are those of `zod/mini`, which takes 2 MB less than `zod`: there is a shim for every
 * box.
 *
 * @module
 */
import { readSync } from 'node:fs';
import * as z from 'zod/mini';
import { KrunError } from '../errors.ts';
import { SHIM_DESCRIPTORS } from './command.ts';

/** The largest document that is read. */
const MAX_BYTES = 1024 * 1024;
/** The longest path of a socket, without the NUL at its end. */
const SOCKET_BYTES = 107;

const text = (max: number) =>
  z.string().check(z.minLength(1), z.maxLength(max), z.regex(/^[^\0]*$/));
const path = text(4096).check(z.regex(/^\//));
const socketPath = path.check(z.refine((value) => Buffer.byteLength(value) <= SOCKET_BYTES));
const integer = (low: number, high: number) => z.int().check(z.minimum(low), z.maximum(high));
/** Not the description's own, and not one of the records'. */
const descriptor = integer(SHIM_DESCRIPTORS.firstOther, 0x7fff_ffff);
const mac = z.string().check(z.regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/));

const boot = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('kernel'),
    path,
    format: z.enum(['raw', 'elf', 'pe-gz', 'image-bz2', 'image-gz', 'image-zstd']),
    initrd: z.optional(path),
    commandLine: z.string().check(z.maxLength(2047), z.regex(/^[\x20-\x7e]*$/)),
  }),
  z.strictObject({ kind: z.literal('firmware'), path }),
  /** The kernel of libkrunfw, with libkrun's init. */
  z.strictObject({
    kind: z.literal('bundled'),
    program: path,
    arguments: z.array(text(4096)).check(z.maxLength(4095)),
    environment: z.array(text(4096)).check(z.maxLength(4095)),
  }),
  z.strictObject({ kind: z.literal('tee'), configuration: path }),
]);

const disk = z.strictObject({
  id: z.string().check(z.regex(/^[\w.-]{1,20}$/)),
  path,
  /** A qcow2 image names files below it, which libkrun opens: the caller has to know which. */
  format: z.enum(['raw', 'qcow2']),
  readonly: z.boolean(),
});

/** Of a file server that listens at a socket. Its tag is the one that the guest mounts it by. */
const share = z.strictObject({ tag: text(36), socket: socketPath });

const networkDevice = z.discriminatedUnion('kind', [
  /** A connected socket of passt, or the path at which it listens. */
  z.strictObject({ kind: z.literal('stream'), descriptor, mac }),
  z.strictObject({ kind: z.literal('stream-path'), path: socketPath, mac }),
  z.strictObject({ kind: z.literal('datagram-path'), path: socketPath, mac }),
  z.strictObject({
    kind: z.literal('tap'),
    name: z.string().check(z.regex(/^[\w.-]{1,15}$/)),
    mac,
  }),
]);

const port = z.strictObject({
  port: integer(1, 0xffff_fffe),
  path: socketPath,
  /** Whether the host connects to the guest, at a socket that libkrun makes. */
  listen: z.boolean(),
});

const description = z.strictObject({
  version: z.literal(1),
  variant: z.enum(['krun', 'krun-sev', 'krun-tdx']),
  /** In place of the library that the host has. */
  library: z.optional(path),
  /** User and group of the shim. Absent: those of its parent, which must not be root. */
  identity: z.optional(
    z.strictObject({ uid: integer(1, 0xffff_fffe), gid: integer(1, 0xffff_fffe) }),
  ),
  vcpus: integer(1, 255),
  memoryMib: integer(1, 0xffff_ffff),
  boot,
  disks: z.array(disk).check(z.maxLength(64)),
  shares: z.array(share).check(z.maxLength(64)),
  networkDevices: z.array(networkDevice).check(z.maxLength(8)),
  ports: z.array(port).check(z.maxLength(16)),
  /** Sockets of the guest that libkrun opens on the host. Weaker than a network: by name alone. */
  tsi: z.array(z.enum(['inet', 'unix'])).check(z.maxLength(2)),
  /** Where the guest's console goes: a file, of which the last bytes are kept. */
  console: z.optional(z.strictObject({ device: z.enum(['serial', 'virtio']), file: descriptor })),
});

export type ShimDescription = z.infer<typeof description>;

/** @throws KrunError `krun-description` with every path that is wrong */
export function parseDescription(text: string): ShimDescription {
  const parsed = description.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'document'}`);
  throw refused(`wrong or unknown: ${[...new Set(faults)].join(', ')}`);
}

/** Reads a document up to its end. */
export function readDescription(fd: number): ShimDescription {
  const bytes = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  for (let more = -1; more !== 0; length += more) {
    more = readSync(fd, bytes, length, bytes.length - length, null);
    if (length + more > MAX_BYTES) throw refused(`it has more than ${MAX_BYTES} bytes`);
  }
  return parseDescription(bytes.toString('utf8', 0, length));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The text of the error quotes the document.
    throw refused('it is no JSON');
  }
}

function refused(reason: string): KrunError {
  return new KrunError('krun-description', `Cannot read the description: ${reason}`);
}
