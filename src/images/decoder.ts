/**
 * Decompresses with the system's `zstd` and `gzip` in a jail. Hostile input can keep a decoder busy
 * for hours, or take it over, so no decoder runs in the server's own process.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { converterIdentity } from '../jail/identity.ts';
import type { JailProgram } from '../jail/jail.ts';
import { findTool } from '../jail/tools.ts';
import { corrupt } from '../oci/corrupt.ts';

/** Starts a program in a jail. */
export type SpawnInJail = (program: JailProgram) => Promise<ChildProcess>;

/** The largest window that `zstd` itself accepts unasked; images stay far below. */
const WINDOW = '128MiB';
const ADDRESS_SPACE = 1024 * 1024 * 1024;
const MAX_COMPLAINT = 4096;

const ARGUMENTS = {
  zstd: ['--decompress', '--stdout', '--quiet', `--memory=${WINDOW}`, '-'],
  gzip: ['--decompress', '--stdout', '--quiet'],
} as const;

/** The decompressed bytes of `source`; `what` names it in errors. */
export async function* decompressBy(
  tool: keyof typeof ARGUMENTS,
  source: AsyncIterable<Uint8Array>,
  what: string,
  spawn: SpawnInJail,
): AsyncGenerator<Uint8Array> {
  const child = await spawn({
    path: await findTool(tool),
    args: ARGUMENTS[tool],
    identity: converterIdentity(),
    stdio: ['pipe', 'pipe', 'pipe'],
    writable: [],
    readable: [],
    network: false,
    outlives: false,
    limits: { openFiles: 64, addressSpaceBytes: ADDRESS_SPACE },
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error(`${tool} has no pipes`);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  let complaint = '';
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => {
    if (complaint.length < MAX_COMPLAINT) complaint += text;
  });
  const feeding = pipeline(source, stdin).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    yield* stdout;
    const code = await exited;
    const fault = await feeding;
    // The source's own error takes precedence. A broken pipe only says that the decoder ended; its
    // exit code says why.
    if (fault !== undefined && !isBrokenPipe(fault)) throw fault;
    if (code !== 0) throw corrupt(what, reason(tool, complaint));
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

function reason(tool: keyof typeof ARGUMENTS, complaint: string): string {
  if (tool === 'zstd') return complaint.slice(0, 200).trim() || 'zstd failed';
  return complaint.includes('unexpected end')
    ? 'its gzip data ends too early'
    : 'its gzip data is damaged';
}

function isBrokenPipe(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
