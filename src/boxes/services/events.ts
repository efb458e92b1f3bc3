/**
 * The events of Docker's API: the last few hundred, and those to come.
 *
 * @module
 */
export interface ActorEvent {
  readonly type: 'container' | 'image' | 'template' | 'snapshot' | 'pool' | 'volume' | 'network';
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
}

const KEPT = 256;
/** Events by which a listener may lag behind before it is cut off. */
const BACKLOG = 1024;

export class Events {
  readonly #recent: ActorEvent[] = [];
  readonly #listeners = new Set<(event: ActorEvent) => void>();
  #last = 0n;

  get listeners(): number {
    return this.#listeners.size;
  }

  publish(
    type: ActorEvent['type'],
    action: string,
    id: string,
    attributes: Readonly<Record<string, string>>,
  ): void {
    // Strictly rising, so that a client can go on from the time that it saw last.
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    const event = { type, action, id, attributes, time: this.#last };
    this.#recent.push(event);
    if (this.#recent.length > KEPT) this.#recent.shift();
    for (const listener of [...this.#listeners]) listener(event);
  }

  /**
   * The kept events from `since` on, then the ones to come until `until` or `signal`. Without
   * `since` and `until`, only those to come. A listener that lags too far behind is ended, not
   * waited for.
   */
  async *follow(
    range: { since: bigint | undefined; until: bigint | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<ActorEvent> {
    const { since, until } = range;
    const queue =
      since === undefined && until === undefined
        ? []
        : this.#recent.filter(
            ({ time }) => (since ?? 0n) <= time && (until === undefined || time <= until),
          );
    let notify: () => void = () => undefined;
    let overrun = false;
    const listener = (event: ActorEvent): void => {
      if (queue.length < BACKLOG) queue.push(event);
      else overrun = true;
      notify();
    };
    const onAbort = (): void => notify();
    let ended = false;
    const timer = endTimer(until, () => {
      ended = true;
      notify();
    });
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          if (signal.aborted) return;
          yield next;
        }
        if (signal.aborted || overrun || ended) return;
        await new Promise<void>((resolve) => {
          notify = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** Longest delay that a timer takes, a little under 25 days. */
const MAX_DELAY = 2_147_483_647;

function endTimer(until: bigint | undefined, end: () => void): NodeJS.Timeout | undefined {
  if (until === undefined) return undefined;
  const delay = Number(until / 1_000_000n) - Date.now();
  return setTimeout(end, Math.min(Math.max(delay, 0), MAX_DELAY));
}
