/**
 * Logs which hosts the steps of a builder reach, and which are refused to them, each once.
 *
 * Steps choose the names, so what is remembered is bounded: the host that was asked for longest ago
 * is forgotten, and logged again. A connection to a host is never left out, whatever a step asks
 * for before. Refusals cost a step nothing, so lines about them are bounded in time as well.
 *
 * @module
 */
import type { BuildHost } from '../host.ts';

/** How many hosts are remembered, of each kind. */
const MAX_REMEMBERED = 1024;
/** How many refusals are logged at once, and how long one more takes then. */
const MAX_REFUSALS = 1024;
const REFUSAL_MS = 1000;

export class ConnectionLog {
  readonly #log: Pick<BuildHost['log'], 'info'>;
  readonly #now: () => number;
  readonly #reached = new Set<string>();
  readonly #refused = new Set<string>();
  /** The refusals that may be logged now. */
  #left = MAX_REFUSALS;
  #filledAt: number;
  #leftOut = 0;

  constructor(log: Pick<BuildHost['log'], 'info'>, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
    this.#filledAt = now();
  }

  reached(host: string): void {
    if (!isFresh(this.#reached, host)) return;
    this.#log.info('a step of a build has reached a host', { host });
  }

  refused(host: string, reason: string): void {
    if (!isFresh(this.#refused, JSON.stringify([host, reason]))) return;
    this.#fill();
    if (this.#left < 1) {
      this.#leftOut += 1;
      return;
    }
    this.#left -= 1;
    const leftOut = this.#leftOut > 0 ? { leftOut: this.#leftOut } : {};
    this.#leftOut = 0;
    const fields = { host, reason, ...leftOut };
    this.#log.info('a connection of a step of a build was refused', fields);
  }

  #fill(): void {
    const now = this.#now();
    const more = (now - this.#filledAt) / REFUSAL_MS;
    this.#left = Math.min(MAX_REFUSALS, this.#left + more);
    this.#filledAt = now;
  }
}

/** Remembers the key as the last one, and says whether it was not remembered. */
function isFresh(remembered: Set<string>, key: string): boolean {
  const isNew = !remembered.delete(key);
  remembered.add(key);
  const [oldest] = remembered;
  if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
  return isNew;
}
