/**
 * The fake agent's output ring: bounded, with offsets, and blocking its writer when it is full.
 *
 * @module
 */
import { EventEmitter, once } from 'node:events';
import { MAX_FRAME_PAYLOAD, type OutputStream } from '../frame.ts';

export const RING_BYTES = 1024 * 1024;

interface Segment {
  readonly stream: OutputStream;
  readonly offset: number;
  readonly data: Buffer;
}

export class FakeOutput {
  #segments: Segment[] = [];
  #events = new EventEmitter().setMaxListeners(0);
  written = 0;
  acknowledged = 0;
  complete = false;

  /** Resolves when all of it lies in the ring. Bytes after `close` go nowhere. */
  async write(stream: OutputStream, data: Buffer): Promise<void> {
    let rest = data;
    while (rest.length > 0 && !this.complete) {
      const room = RING_BYTES - (this.written - this.acknowledged);
      if (room === 0) {
        await once(this.#events, 'change');
        continue;
      }
      const piece = rest.subarray(0, Math.min(room, MAX_FRAME_PAYLOAD));
      this.#segments.push({ stream, offset: this.written, data: piece });
      this.written += piece.length;
      rest = rest.subarray(piece.length);
      this.#events.emit('change');
    }
  }

  close(): void {
    this.complete = true;
    this.#events.emit('change');
  }

  acknowledge(offset: number): void {
    this.acknowledged = offset;
    this.#segments = this.#segments.filter((s) => s.offset + s.data.length > offset);
    this.#events.emit('change');
  }

  /** The bytes from `offset` on, one segment's worth; undefined when there are none yet. */
  at(offset: number): Segment | undefined {
    const segment = this.#segments.find((s) => s.offset + s.data.length > offset);
    if (segment === undefined) return undefined;
    return { stream: segment.stream, offset, data: segment.data.subarray(offset - segment.offset) };
  }

  /** Resolves at the next write, acknowledgement or close. */
  async changed(signal: AbortSignal): Promise<void> {
    await once(this.#events, 'change', { signal });
  }
}
