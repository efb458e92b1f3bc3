/**
 * Makes lines of a container's output, in the format of Kubernetes' logs.
 *
 * @module
 */
import type { OutputChunk, OutputStream } from '../../guest/frame.ts';

/** Longer lines are written in parts, as other runtimes do. */
export const MAX_LINE_BYTES = 16 * 1024;
/**
 * A line that does not end is written as far as it is there, so that the agent can forget what the
 * other stream has sent meanwhile.
 */
const MAX_WAITING = 256 * 1024;

const NEWLINE = 0x0a;
const NONE: Buffer = Buffer.alloc(0);

/** A position in the output, with the bytes of each stream below it. */
export interface OutputPosition {
  readonly offset: number;
  readonly stdout: number;
  readonly stderr: number;
}

export interface LogLine {
  readonly stream: OutputStream;
  /** False for a part, which the next line of its stream continues, or which nothing does. */
  readonly full: boolean;
  readonly text: Buffer;
}

interface Waiting {
  text: Buffer;
  /** Where it begins. */
  from: OutputPosition;
}

/** Holds what has no end yet: at most a line of each stream. */
export class LogLines {
  #at: OutputPosition;
  readonly #waiting = new Map<OutputStream, Waiting>();

  constructor(from: OutputPosition) {
    this.#at = from;
  }

  /** Behind everything that was pushed. */
  get at(): OutputPosition {
    return this.#at;
  }

  /** The first byte that no line has. */
  get waitingFrom(): OutputPosition {
    const from = [...this.#waiting.values()].map((waiting) => waiting.from);
    return from.reduce((first, next) => (next.offset < first.offset ? next : first), this.#at);
  }

  /** The lines that end with this chunk. */
  push({ stream, data }: Pick<OutputChunk, 'stream' | 'data'>): LogLine[] {
    const lines: LogLine[] = [];
    for (let rest = data; rest.length > 0; ) {
      const before = this.#waiting.get(stream)?.text ?? NONE;
      const room = MAX_LINE_BYTES - before.length;
      // The end of a line does not count towards its length.
      const end = rest.subarray(0, room + 1).indexOf(NEWLINE);
      if (end >= 0) {
        lines.push(this.#line(stream, true, rest.subarray(0, end)));
        this.#advance(stream, end + 1);
        rest = rest.subarray(end + 1);
      } else if (rest.length > room) {
        lines.push(this.#line(stream, false, rest.subarray(0, room)));
        this.#advance(stream, room);
        rest = rest.subarray(room);
      } else {
        const from = this.#waiting.get(stream)?.from ?? this.#at;
        // What was read shares its memory with frames around it.
        this.#waiting.set(stream, { text: Buffer.concat([before, rest]), from });
        this.#advance(stream, rest.length);
        rest = NONE;
      }
    }
    return [...lines, ...this.#overdue()];
  }

  /**
   * What is left where the output has ended. It is a part, as with containerd: no end of a line was
   * written, and `kubectl logs` shows none.
   */
  end(): LogLine[] {
    return [...this.#waiting.keys()].map((stream) => this.#line(stream, false, NONE));
  }

  #overdue(): LogLine[] {
    return [...this.#waiting]
      .filter(([, { from }]) => this.#at.offset - from.offset > MAX_WAITING)
      .map(([stream]) => this.#line(stream, false, NONE));
  }

  #line(stream: OutputStream, full: boolean, rest: Buffer): LogLine {
    const before = this.#waiting.get(stream)?.text ?? NONE;
    this.#waiting.delete(stream);
    return { stream, full, text: before.length === 0 ? rest : Buffer.concat([before, rest]) };
  }

  #advance(stream: OutputStream, bytes: number): void {
    const { offset, stdout, stderr } = this.#at;
    this.#at = {
      offset: offset + bytes,
      stdout: stdout + (stream === 'stdout' ? bytes : 0),
      stderr: stderr + (stream === 'stderr' ? bytes : 0),
    };
  }
}

/** `<RFC3339Nano> stdout|stderr P|F TEXT` and a line feed. */
export function encodeLine({ stream, full, text }: LogLine, time: string): Buffer {
  return Buffer.concat([
    Buffer.from(`${time} ${stream} ${full ? 'F' : 'P'} `),
    text,
    Buffer.from('\n'),
  ]);
}

/** How many bytes of a stream's output a line of the file has; undefined for what is no line. */
export function decodeLine(line: Buffer): { stream: OutputStream; bytes: number } | undefined {
  const [, stream, tag] = /^\S+ (stdout|stderr) ([PF]) /.exec(line.toString('latin1', 0, 64)) ?? [];
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const head = line.indexOf(` ${stream} ${tag} `) + stream.length + 4;
  return { stream, bytes: line.length - head + (tag === 'F' ? 1 : 0) };
}
