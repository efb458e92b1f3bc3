/**
 * Kills the server, and the programs of its networks, in the middle of changes.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SOAK } from '../../e2e/soak.ts';
import type { Maker } from './maker.ts';
import { db, egress, freely, kept, TwoBoxes, web } from './two-boxes.ts';

const DEADLINE = { timeout: 20_000 };
/** How often a change is cut, at moments all over it. */
const KILLS = SOAK ? 120 : 6;
/** A kill may come too late, or find nothing to kill. */
const FEWEST_CUTS = KILLS / 3;
const KILLED_MS = SOAK ? 1_800_000 : 240_000;
/** Programs that begin and end with a change, and those that stay. */
const VICTIMS = [
  'netavark',
  'nsenter',
  'nft',
  '/ip',
  'pasta',
  'aardvark-dns',
  'bwrap',
  'cat',
  'node',
];

const HALF_MADE = 'a box was not taken out of a network';
const MAKER_ENDED = 'the program that makes them has ended';

/**
 * What the server complained of, but for the end of the program that makes an ordinary user's
 * networks: it may have been asked when a test killed it.
 */
export async function otherComplaints(maker: Maker): Promise<string[]> {
  const all = (await maker.ask({ ask: 'complaints' })) as string[];
  return all.filter((line) => !line.endsWith(MAKER_ENDED));
}

/** Adds the tests. @param maker runs a server whose networks have no box */
export function testKilledChanges(maker: () => Maker): void {
  const boxes = new TwoBoxes(maker);

  /** Puts a limited box with a port into the network, publishes it anew, and takes the box out. */
  async function change(): Promise<void> {
    const ports = [await freely()];
    await boxes.attach(web, { ports, egress });
    await maker().ask({ ask: 'publish', endpoint: boxes.place(web, { egress, ports }) });
    await maker().ask({ ask: 'detach', box: web });
  }
  /** Moments after the start of a change, as long as one takes here. */
  async function moments(): Promise<number[]> {
    await change();
    const start = performance.now();
    await change();
    const took = performance.now() - start;
    return Array.from({ length: KILLS }, (_, at) => (took * (at + 0.5)) / KILLS);
  }
  /**
   * Kills in the middle of a change. What was cut off fails, or is made again: neither is an error
   * of this test.
   *
   * @returns whether the change was under way, and something was killed
   */
  async function killIn(afterMs: number, kill: () => Promise<boolean>): Promise<boolean> {
    let isOver = false;
    const changing = change()
      .catch(() => undefined)
      .finally(() => {
        isOver = true;
      });
    await delay(afterMs);
    const isCut = !isOver;
    const isKilled = await kill();
    await changing;
    return isCut && isKilled;
  }

  it(
    'goes on, and leaves nothing, wherever a server is killed in the middle of a change',
    async () => {
      let cut = 0;
      for (const afterMs of await moments()) {
        await boxes.attach(db);
        const crash = async (): Promise<boolean> => {
          await maker().crash();
          return true;
        };
        if (await killIn(afterMs, crash)) cut += 1;
        await maker().start();
        // What its programs were about to make meanwhile is gone with the next one.
        const reconciled = async () => {
          await maker().ask({ ask: 'reconcile', kept: kept.slice(1) });
          return maker().processes();
        };
        await expect.poll(reconciled, DEADLINE).toEqual(maker().standing);
        await boxes.attach(web);
        await expect.poll(() => boxes.lookUp(db, 'web'), DEADLINE).toBe('10.89.1.2');
        await expect.poll(() => boxes.lookUp(web, 'db'), DEADLINE).toBe('10.89.1.3');
        for (const box of [web, db]) await maker().ask({ ask: 'detach', box });
        expect(maker().remains()).toEqual([]);
        // A change that was cut off can be half made: what of it is not there is not taken away.
        const others = await otherComplaints(maker());
        expect(others.filter((line) => !line.startsWith(HALF_MADE))).toEqual([]);
      }
      expect(cut).toBeGreaterThanOrEqual(FEWEST_CUTS);
    },
    KILLED_MS,
  );

  it(
    'goes on, and leaves nothing, whichever program is killed in the middle of a change',
    async () => {
      let cut = 0;
      for (const [at, afterMs] of (await moments()).entries()) {
        const names = at % 2 === 0 ? [''] : VICTIMS.filter((_, each) => each % 2 === (at >> 1) % 2);
        if (await killIn(afterMs, async () => maker().kill(...names) > 0)) cut += 1;
        await boxes.attach(web);
        await boxes.attach(db);
        const repaired = async () => {
          await maker().ask({ ask: 'repair' });
          return maker().processes();
        };
        await expect.poll(repaired, DEADLINE).toEqual(maker().standing);
        await expect.poll(() => boxes.lookUp(db, 'web'), DEADLINE).toBe('10.89.1.2');
        for (const box of [web, db]) await maker().ask({ ask: 'detach', box });
        expect(maker().remains()).toEqual([]);
        await maker().ask({ ask: 'complaints' });
      }
      expect(cut).toBeGreaterThanOrEqual(FEWEST_CUTS);
    },
    KILLED_MS,
  );
}
