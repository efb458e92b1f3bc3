/**
 * Two streams joined end to end: what one writes, the other reads. (Node has one of its own from
 * version 22.6.)
 *
 * @module
 */
import { Duplex } from 'node:stream';

/** One end. Destroying either end destroys both, as closing a socket does. */
class End extends Duplex {
  #peer: End | undefined;
  #resume: (() => void) | undefined;
  /** As a socket has them. */
  bytesRead = 0;
  bytesWritten = 0;

  join(peer: End): void {
    this.#peer = peer;
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /**
   * The other end reads in a turn of its own. Within this one, Node's HTTP/2 session would be
   * called again from its own read, and Node 20 then ends the process by an assertion
   * (`Http2Session::ConsumeHTTP2Data`).
   */
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // What was written comes, also where this end is destroyed meanwhile.
    const peer = this.#peer;
    setImmediate(() => this.#deliver(peer, chunk, done));
  }

  #deliver(peer: End | undefined, chunk: Buffer, done: (error?: Error | null) => void): void {
    if (peer === undefined || peer.destroyed) {
      done(Object.assign(new Error('write after the other end closed'), { code: 'EPIPE' }));
      return;
    }
    peer.#resume = done;
    this.bytesWritten += chunk.length;
    peer.bytesRead += chunk.length;
    peer.push(chunk);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#peer?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#resume = undefined;
    const peer = this.#peer;
    this.#peer = undefined;
    if (peer !== undefined && !peer.destroyed) setImmediate(() => peer.destroy());
    done(error);
  }
}

/** @returns both ends */
export function duplexPair(): [End, End] {
  const left = new End();
  const right = new End();
  left.join(right);
  right.join(left);
  return [left, right];
}
