/**
 * How a connection ends whose client breaks SPDY, or exceeds a bound.
 *
 * @module
 */

/** The connection ends with GOAWAY, and its streams with it. */
export class SpdyBroken extends Error {}
