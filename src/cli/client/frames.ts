/**
 * Docker's multiplexed stream: `[stream, 0, 0, 0, length]` before each piece of output.
 *
 * Payloads pass through as they come and are never gathered, so a frame's length costs no memory.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { printable } from './failure.ts';

const HEADER = 8;
/** Longest frame that is accepted. */
const MAX_FRAME = 64 * 1024 * 1024;
/** Longest error message of the server that is kept. */
const MAX_SYSTEM_ERROR = 64 * 1024;

export interface Piece {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

/**
 * Cuts a multiplexed stream into pieces.
 *
 * @throws A3sError `internal` for a malformed header, an end inside a frame, or an error that the
 *   server reports in the stream
 */
export async function* demultiplex(source: AsyncIterable<Buffer>): AsyncGenerator<Piece> {
  const header = Buffer.alloc(HEADER);
  let filled = 0;
  let kind = 0;
  let left = 0;
  let complaint = Buffer.alloc(0);
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      if (left === 0) {
        const taken = chunk.copy(header, filled, at, Math.min(chunk.length, at + HEADER - filled));
        filled += taken;
        at += taken;
        if (filled < HEADER) continue;
        filled = 0;
        kind = kindOf(header);
        left = header.readUInt32BE(4);
        if (left > MAX_FRAME) throw malformed(`a frame of ${left} bytes`);
        if (left === 0 && kind === 3) throw reported(complaint);
        continue;
      }
      const bytes = chunk.subarray(at, at + left);
      at += bytes.length;
      left -= bytes.length;
      if (kind === 3) {
        complaint = Buffer.concat([complaint, bytes]).subarray(0, MAX_SYSTEM_ERROR);
        if (left === 0) throw reported(complaint);
      } else {
        yield { stream: kind === 2 ? 'stderr' : 'stdout', bytes };
      }
    }
  }
  if (filled > 0 || left > 0) throw malformed('an end inside a frame');
}

/** Stream 0 is stdin, which Docker's daemon writes to stdout. */
function kindOf(header: Buffer): number {
  const kind = header.readUInt8(0);
  if (kind > 3 || header.readUIntBE(1, 3) !== 0)
    throw malformed(`header ${header.toString('hex')}`);
  return kind;
}

function malformed(what: string): A3sError {
  return new A3sError('internal', `Malformed output stream from the server: ${what}`);
}

function reported(complaint: Buffer): A3sError {
  return new A3sError('internal', `The server reports: ${printable(complaint.toString('utf8'))}`);
}
