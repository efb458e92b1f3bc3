import type { Duplex } from 'node:stream';
import type { Digest } from '../oci/digest.ts';
import type { Authority } from '../tls-proxy/authority.ts';
/**
 * A builder: a Docker daemon with BuildKit in a microVM, which serves this control server alone.
 */
export interface Builder {
  readonly name: string;
  /** Opens a byte stream to the daemon's API. */
  dial(signal?: AbortSignal): Promise<Duplex>;
  /**
   * A blob of its content store, as a tar archive of one file, until the signal aborts. Nothing is
   * verified. Throws `builder-failed` where there is none.
   */
  blobArchive(digest: Digest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Calls `serve` with each connection that the builder's programs make to their HTTP proxy. The
   * function that it returns ends that.
   */
  serveProxy(serve: (connection: Duplex) => void): () => void;
  /** The same of the steps of builds, whose proxy is at `stepProxy`. */
  serveStepProxy(serve: (connection: Duplex) => void): () => void;
  /** URL of the proxy that steps reach. */
  readonly stepProxy: string;
  /** The authority that the builder trusts, made for this builder alone. */
  readonly authority: Authority;
  /** Digest of the image that it was made of. */
  readonly image: string;
  /** Which disk has its caches: another text after that was removed, and the same one otherwise. */
  readonly cacheDisk: string;
  /** What its cache keeps of that disk: a build needs room beside it. */
  readonly keptBytes: number;
}
/** Finds or starts builders. */
export interface Builders {
  /** Whether a builder of that name runs, or is being started. */
  runs(name: string): boolean;
  /**
   * The builder of that name, started if it does not run; it stays up while at least one use is
   * held and for idle minutes after.
   */
  use(name: string, signal?: AbortSignal): Promise<{ readonly builder: Builder; release(): void }>;
}
