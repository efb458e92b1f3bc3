/**
 * Timeouts and attempts for a registry.
 *
 * @module
 */
export interface TransportLimits {
  /** Until a connection stands, its TLS included. */
  readonly connectMs: number;
  /** From the end of a request until the head of its answer is there. */
  readonly headersMs: number;
  /** Without any byte of a body, in either direction. */
  readonly stallMs: number;
  /** Attempts at one request, the first one included. */
  readonly attempts: number;
  /**
   * The first pause between two attempts; each further one is twice as long, up to
   * `longestPauseMs`.
   */
  readonly backoffMs: number;
  /** The longest pause, also where a registry asks for one by `Retry-After`. */
  readonly longestPauseMs: number;
  /** The time for which a mirror that did not answer is not asked again. */
  readonly mirrorRestMs: number;
}

export const TRANSPORT_LIMITS: TransportLimits = {
  connectMs: 10_000,
  headersMs: 60_000,
  stallMs: 60_000,
  attempts: 5,
  backoffMs: 250,
  longestPauseMs: 60_000,
  mirrorRestMs: 60_000,
};
