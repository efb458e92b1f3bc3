/**
 * What every store of the broker has to do, whatever database holds it: tests for each.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BrokerStore, StoredRecord } from '../store/store.ts';

const KEY = { tenant: 'default', kind: 'secret', name: 'a/b/c' } as const;
const RECORD: StoredRecord = {
  ...KEY,
  ...{ version: 1, epoch: 1, changedAt: 1_780_000_000_000, declared: false },
  wrappedKey: Buffer.from([0, 1, 0xff]),
  sealed: Buffer.from('sealed'),
};
const ENTRY = { seq: 1, body: '{}', hash: 'aa', mac: 'bb' };

/** @param open the same store each time within one test, and an empty one in the next */
export function describeStore(name: string, open: () => Promise<BrokerStore>): void {
  describe(`the store of the broker in ${name}`, () => {
    let store: BrokerStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    const set = (key: string, value: string) =>
      store.transaction((transaction) => transaction.setValue(key, value));
    const get = (key: string) => store.transaction((transaction) => transaction.value(key));
    const reopen = async () => {
      await store.close();
      store = await open();
    };

    it('commits transactions that were asked for together, each by itself', async () => {
      const fails = store.transaction(async (transaction) => {
        await transaction.setValue('b', 'undone');
        throw new TypeError('mine');
      });
      const results = await Promise.allSettled([set('a', '1'), fails, set('c', '3')]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      await expect(fails).rejects.toBeInstanceOf(TypeError);
      expect(await Promise.all(['a', 'b', 'c'].map(get))).toEqual(['1', undefined, '3']);
    });

    it('runs one transaction after the other, whatever each of them waits for', async () => {
      const order: string[] = [];
      const job = (each: string, turns: number) =>
        store.transaction(async () => {
          order.push(`${each} begins`);
          for (let n = 0; n < turns; n += 1) await Promise.resolve();
          order.push(`${each} ends`);
        });
      await Promise.all([job('one', 50), job('two', 0)]);
      expect(order).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
    });

    it('refuses a constraint to its own transaction alone, and goes on', async () => {
      const append = () => store.transaction((transaction) => transaction.appendEntry(ENTRY));
      const results = await Promise.allSettled([append(), append(), set('a', '1')]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(await get('a')).toBe('1');
    });

    it('waits when it closes for what was asked for, and takes nothing after that', async () => {
      const writing = set('a', '1');
      await store.close();
      await writing;
      await expect(set('b', '2')).rejects.toMatchObject({ code: 'broker-store' });
      store = await open();
      expect(await get('a')).toBe('1');
    });

    it('gives records back as they were written, and the newest of each name', async () => {
      await store.transaction(async (transaction) => {
        await transaction.putRecord(RECORD);
        await transaction.putRecord({ ...RECORD, version: 2, sealed: Buffer.from('newer') });
        await transaction.putRecord({ ...RECORD, name: 'B/b/c', epoch: 2, declared: true });
        await transaction.putRecord({ ...RECORD, tenant: 'other' });
      });
      await reopen();
      await store.transaction(async (transaction) => {
        const newest = { ...RECORD, version: 2, sealed: Buffer.from('newer') };
        expect(await transaction.record(KEY)).toEqual(newest);
        const records = await transaction.records('default', 'secret');
        // By their bytes: capitals come first.
        expect(records.map(({ name: each }) => each)).toEqual(['B/b/c', 'a/b/c']);
        expect(await transaction.facts('default', 'secret')).toEqual([
          { name: 'B/b/c', version: 1, changedAt: RECORD.changedAt, declared: true },
          { name: 'a/b/c', version: 2, changedAt: RECORD.changedAt, declared: false },
        ]);
        expect(await transaction.usage('default', 'secret')).toEqual({ records: 2, bytes: 11 });
        expect(await transaction.usage('nobody', 'secret')).toEqual({ records: 0, bytes: 0 });
        expect(await transaction.epochsInUse()).toEqual([1, 2]);
        expect(await transaction.recordsBelow(2, 1)).toHaveLength(1);
        expect(await transaction.recordsBelow(2, 9)).toHaveLength(2);
        await transaction.removeRecord(KEY);
        expect(await transaction.record(KEY)).toBeUndefined();
      });
    });

    it('keeps the entry of a release until it expires', async () => {
      const release = { session: 's', path: 'a/b/c', seq: 7, expiresAt: 10 };
      await store.transaction(async (transaction) => {
        await transaction.putRelease({ ...release, seq: 6 });
        await transaction.putRelease(release);
        await transaction.putRelease({ ...release, session: 't', expiresAt: 11 });
      });
      await reopen();
      await store.transaction(async (transaction) => {
        expect(await transaction.releaseEntry('s', 'a/b/c')).toBe(7);
        expect(await transaction.releaseEntry('s', 'a/b/d')).toBeUndefined();
        await transaction.expireReleases(10);
        expect(await transaction.releaseEntry('s', 'a/b/c')).toBeUndefined();
        expect(await transaction.releaseEntry('t', 'a/b/c')).toBe(7);
      });
    });

    it('gives entries and checkpoints back in their order, and the last of each', async () => {
      await store.transaction(async (transaction) => {
        expect(await transaction.lastEntry()).toBeUndefined();
        expect(await transaction.lastCheckpoint()).toBeUndefined();
        for (const seq of [1, 2, 3]) await transaction.appendEntry({ ...ENTRY, seq });
        for (const seq of [1, 3]) await transaction.appendCheckpoint({ seq, text: `{"n":${seq}}` });
      });
      await reopen();
      await store.transaction(async (transaction) => {
        expect(await transaction.entries(2, 1)).toEqual([{ ...ENTRY, seq: 2 }]);
        expect(await transaction.lastEntry()).toEqual({ ...ENTRY, seq: 3 });
        expect(await transaction.lastCheckpoint()).toEqual({ seq: 3, text: '{"n":3}' });
        expect((await transaction.checkpoints()).map(({ seq }) => seq)).toEqual([1, 3]);
      });
    });
  });
}
