/**
 * The streams of a command over SPDY: `remotecommand`, versions 1 to 4.
 *
 * @module
 */
import { once } from 'node:events';
import { A3sError } from '../../errors.ts';
import type { ByteConnection } from '../../web-socket/stream.ts';
import type { CommandShape, CommandStreams } from './command.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { PROTOCOL_ERROR } from './spdy/frames.ts';
import type { SpdyStream } from './spdy/stream.ts';

/** By their names in `X-Stream-Protocol-Version`. A client of the first one may name none. */
export const SPDY_COMMAND_VERSIONS: ReadonlyMap<string, number> = new Map([
  ['v4.channel.k8s.io', 4],
  ['v3.channel.k8s.io', 3],
  ['v2.channel.k8s.io', 2],
  ['channel.k8s.io', 1],
]);

const RESIZES_SINCE = 3;
/** From here on, the stream of errors has a document; before that, it has the message alone. */
const STATUS_SINCE = 4;
/** Clients open their streams at once. */
const OPEN_MS = 30_000;

type Kind = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

/**
 * Waits until the client has opened its streams.
 *
 * @throws A3sError `invalid-argument` where it does not
 */
export async function openSpdyCommand(
  bytes: ByteConnection,
  version: number,
  shape: CommandShape,
  openMs = OPEN_MS,
): Promise<CommandStreams> {
  const expected = new Set(kindsOf(shape, version));
  const streams = new Map<string, SpdyStream>();
  const complete = new AbortController();
  const connection = new SpdyConnection(bytes, {
    maxStreams: expected.size,
    onStream: (stream) => {
      const kind = stream.headers.get('streamtype') ?? '';
      if (streams.has(kind) || !expected.has(kind as Kind)) {
        void stream.reset(PROTOCOL_ERROR);
        return;
      }
      streams.set(kind, stream);
      if (kind !== 'stdin' && kind !== 'resize') stream.input.resume();
      if (streams.size === expected.size) complete.abort();
    },
  });
  void connection.serve();
  const late = AbortSignal.timeout(openMs);
  const settled = AbortSignal.any([late, complete.signal, connection.gone]);
  if (!settled.aborted) await once(settled, 'abort');
  if (!complete.signal.aborted) {
    await connection.close();
    const kinds = [...expected].join(', ');
    throw new A3sError('invalid-argument', `The client has not opened its streams: ${kinds}`);
  }
  const [error, stdout, stderr] = ['error', 'stdout', 'stderr'].map((kind) => streams.get(kind));
  return {
    stdin: streams.get('stdin')?.input ?? nothing(),
    resize: streams.get('resize')?.input ?? nothing(),
    gone: connection.gone,
    write: async (stream, output) => {
      await (stream === 1 ? stdout : stderr)?.write(output);
    },
    end: async (status) => {
      if (version >= STATUS_SINCE) await error?.write(Buffer.from(JSON.stringify(status)));
      else if (status.message !== undefined) await error?.write(Buffer.from(status.message));
      for (const stream of [stdout, stderr, error]) await stream?.end();
      await connection.close();
    },
  };
}

function kindsOf({ stdin, stdout, stderr, terminal }: CommandShape, version: number): Kind[] {
  const resizes = terminal && version >= RESIZES_SINCE;
  const wanted = { error: true, stdin, stdout, stderr, resize: resizes };
  return (Object.keys(wanted) as Kind[]).filter((kind) => wanted[kind]);
}

async function* nothing(): AsyncGenerator<never> {}
