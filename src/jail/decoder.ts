/**
 * Decompresses with the system's `gzip`, `xz` and `zstd` in a jail. Hostile input can keep a
 * decoder busy for hours, or take it over, so no decoder runs in the server's own process.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { converterIdentity } from './identity.ts';
import type { JailProgram } from './jail.ts';
import { findTool } from './tools.ts';

/** Starts a program in a jail. */
export type SpawnInJail = (program: JailProgram) => Promise<ChildProcess>;

/** The largest window that `zstd` itself accepts unasked; images stay far below. */
const WINDOW = '128MiB';
const ADDRESS_SPACE = 1024 * 1024 * 1024;
const MAX_COMPLAINT = 4096;
/** Threads; of all converters together. */
const PROCESSES = 1024;

const ARGUMENTS = {
  zstd: ['--decompress', '--stdout', '--quiet', `--memory=${WINDOW}`, '-'],
  gzip: ['--decompress', '--stdout', '--quiet'],
  // The largest dictionary of its presets is 64 MiB. More threads would each take that much.
  xz: [
    ...['--decompress', '--stdout', '--quiet', '--format=xz'],
    ...['--threads=1', `--memlimit-decompress=${WINDOW}`],
  ],
} as const;

export type Decoder = keyof typeof ARGUMENTS;

/**
 * The decompressed bytes of `source`.
 *
 * @param damaged the error for data that the decoder refuses, from its reason
 * @throws A3sError `tool-missing`; what `source` throws; what `damaged` returns
 */
export async function* decompressBy(
  tool: Decoder,
  source: AsyncIterable<Uint8Array>,
  damaged: (reason: string) => Error,
  spawn: SpawnInJail,
): AsyncGenerator<Uint8Array> {
  const child = await start(tool, spawn).catch(async (error: unknown) => {
    await source[Symbol.asyncIterator]().return?.();
    throw error;
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
    if (code !== 0) throw damaged(reasonOf(tool, complaint));
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

async function start(tool: Decoder, spawn: SpawnInJail): Promise<ChildProcess> {
  return await spawn({
    path: await findTool(tool),
    args: ARGUMENTS[tool],
    identity: converterIdentity(),
    stdio: ['pipe', 'pipe', 'pipe'],
    writable: [],
    readable: [],
    network: false,
    filter: { memoryFiles: false },
    outlives: false,
    // It writes to its pipes alone.
    limits: { openFiles: 64, addressSpaceBytes: ADDRESS_SPACE, fileBytes: 0, processes: PROCESSES },
  });
}

/** In words of our own: programs word the same damage differently. */
function reasonOf(tool: Decoder, complaint: string): string {
  if (/unexpected end|premature end/i.test(complaint)) return `its ${tool} data ends too early`;
  if (/memory/i.test(complaint)) return `its ${tool} data needs more than ${WINDOW} of memory`;
  return `its ${tool} data is damaged`;
}

function isBrokenPipe(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
