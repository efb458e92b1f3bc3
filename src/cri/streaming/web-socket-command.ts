/**
 * The streams of a command over a WebSocket: `remotecommand`, versions 4 and 5. The first byte of
 * each message is its channel.
 *
 * @module
 */
import { writeBytes } from '../../async/write-bytes.ts';
import {
  BINARY,
  closeFrame,
  frameOf,
  messageParts,
  NORMAL,
  PING,
} from '../../web-socket/frames.ts';
import { type ByteConnection, replyTo } from '../../web-socket/stream.ts';
import type { CommandShape, CommandStreams } from './command.ts';
import { endOutput } from './end-output.ts';
import { Inbox } from './inbox.ts';
import { pingWhile } from './ping-while.ts';

/** By their names in `Sec-WebSocket-Protocol`. */
export const WEB_SOCKET_COMMAND_VERSIONS: ReadonlyMap<string, number> = new Map([
  ['v5.channel.k8s.io', 5],
  ['v4.channel.k8s.io', 4],
]);

const [STDIN, STDOUT, STDERR, ERROR, RESIZE] = [0, 1, 2, 3, 4] as const;
/** A message without any byte has none. */
const NO_CHANNEL = -1;
/** A message of this channel names one that the client has ended: version 5. */
const CLOSE_CHANNEL = 255;
const CLOSES_SINCE = 5;
/** What may wait of either stream. */
const INBOX_BYTES = 64 * 1024;
const MESSAGE_BYTES = 32 * 1024;

export function openWebSocketCommand(
  { input, output }: ByteConnection,
  version: number,
  shape: CommandShape,
  pingMs?: number,
  lingerMs?: number,
): CommandStreams {
  const { stdout, stderr } = shape;
  const stdin = new Inbox(INBOX_BYTES);
  const resize = new Inbox(INBOX_BYTES);
  // Nobody reads them, and what comes is dropped.
  if (!shape.stdin) stdin.finish();
  if (!shape.terminal) resize.finish();
  const inboxes = new Map<number, Inbox>([
    [STDIN, stdin],
    [RESIZE, resize],
  ]);
  const gone = new AbortController();
  const lose = (): void => {
    gone.abort();
    for (const inbox of inboxes.values()) inbox.finish();
  };
  output.once('close', lose);
  output.on('error', lose);
  const reply = replyTo(output);
  const ping = (): void => reply(frameOf(PING, Buffer.alloc(0)));
  const read = async (): Promise<void> => {
    let channel = NO_CHANNEL;
    for await (const { bytes, first } of messageParts(input, reply)) {
      if (first) channel = bytes[0] ?? NO_CHANNEL;
      const payload = first ? bytes.subarray(1) : bytes;
      const inbox = inboxes.get(channel);
      if (inbox !== undefined) await pingWhile(inbox.deliver(payload), ping, pingMs);
      else if (channel === CLOSE_CHANNEL && version >= CLOSES_SINCE)
        inboxes.get(payload[0] ?? NO_CHANNEL)?.finish();
    }
  };
  // Whichever way it ends, the client is gone.
  void read()
    .catch(() => undefined)
    .then(() => {
      lose();
      if (output.writableEnded) output.destroy();
      else output.end(() => output.destroy());
    });
  const send = async (channel: number, bytes: Uint8Array): Promise<void> => {
    if (gone.signal.aborted || !output.writable) return;
    const message = Buffer.concat([Buffer.from([channel]), bytes]);
    await writeBytes(output, frameOf(BINARY, message), gone.signal);
  };
  // By this, clients of kubelet see that the connection is there.
  void send(stdout ? STDOUT : stderr ? STDERR : ERROR, Buffer.alloc(0));
  return {
    ...{ stdin, resize },
    gone: gone.signal,
    write: async (stream, bytes) => {
      if (stream === 1 ? !stdout : !stderr) return;
      for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
        await send(stream === 1 ? STDOUT : STDERR, bytes.subarray(at, at + MESSAGE_BYTES));
      }
    },
    end: async (status) => {
      await send(ERROR, Buffer.from(JSON.stringify(status)));
      if (output.writable) endOutput(output, closeFrame(NORMAL), lingerMs);
    },
  };
}
