/**
 * How many events of a box's files the server takes, and how much of its directories it walks.
 * Events cost its event loop the same each, and a box that writes without pause makes as many as
 * the host's kernel can count. Few events cause much walking: those of a large directory's renames.
 *
 * @module
 */

/** In a second. Beyond them the box is not watched for a while. */
const MAX_EVENTS = 50_000;
const WINDOW_MS = 1000;
/**
 * Names that walks may read in a minute, besides those at the start of watching. A large directory
 * that is moved once is far from it.
 */
const MAX_WALKED = 200_000;
/** What it costs to begin or end to watch a directory, in names. */
const DIRECTORY = 10;
const WALK_WINDOW_MS = 60_000;
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
/** After this time without too many events, the next pause is the first one again. */
const CALM_MS = 120_000;

/** A directory that begins or ceases to be watched, or a name that was read in one. */
export type Walked = 'directory' | 'name';

export class EventRate {
  readonly #firstPauseMs: number;
  readonly #maxEvents: number;
  #windowEnd = 0;
  #events = 0;
  #walkWindowEnd = 0;
  #walked = 0;
  #pauseMs: number;
  #calmAt = 0;

  constructor(maxEvents = MAX_EVENTS, firstPauseMs = FIRST_PAUSE_MS) {
    this.#maxEvents = maxEvents;
    this.#firstPauseMs = firstPauseMs;
    this.#pauseMs = firstPauseMs;
  }

  /** Counts an event. Returns whether there are too many of them. */
  count(now = performance.now()): boolean {
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + WINDOW_MS;
      this.#events = 0;
    }
    this.#events += 1;
    return this.#events > this.#maxEvents;
  }

  /** Counts what was walked. Returns whether it is too much. */
  countWalk(work: Walked, now = performance.now()): boolean {
    if (now >= this.#walkWindowEnd) {
      this.#walkWindowEnd = now + WALK_WINDOW_MS;
      this.#walked = 0;
    }
    this.#walked += work === 'directory' ? DIRECTORY : 1;
    return this.#walked > MAX_WALKED;
  }

  /** How long not to watch, now that there were too many. Each time twice as long. */
  nextPause(now = performance.now()): number {
    if (now >= this.#calmAt) this.#pauseMs = this.#firstPauseMs;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    this.#calmAt = now + pauseMs + CALM_MS;
    this.#windowEnd = 0;
    this.#walkWindowEnd = 0;
    return pauseMs;
  }
}
