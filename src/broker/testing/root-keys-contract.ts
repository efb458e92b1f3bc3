/**
 * What every root key has to do, whatever holds it: tests for each.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RootKeys } from '../keys/root-keys.ts';

export interface RootKeyPlaces {
  /** Makes a root key; another one each time. */
  create(): Promise<{ open(): Promise<RootKeys> }>;
}

const CONTEXT = Buffer.from('this record');

export function describeRootKeys(name: string, { create }: RootKeyPlaces): void {
  describe(`a root key ${name}`, () => {
    it('unwraps what it wrapped, in the same context and epoch alone', async () => {
      const keys = await (await create()).open();
      const dataKey = randomBytes(32);
      const wrapped = await keys.wrap(1, dataKey, CONTEXT);
      expect(wrapped.includes(dataKey)).toBe(false);
      expect(await keys.unwrap(1, wrapped, CONTEXT)).toEqual(dataKey);
      expect(await keys.wrap(1, dataKey, CONTEXT)).not.toEqual(wrapped);
      expect(await keys.unwrap(1, wrapped, Buffer.from('another'))).toBeUndefined();
      await keys.add();
      expect(await keys.unwrap(2, wrapped, CONTEXT)).toBeUndefined();
      for (const at of [0, 20, wrapped.length - 1]) {
        const changed = Buffer.from(wrapped);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(await keys.unwrap(1, changed, CONTEXT)).toBeUndefined();
      }
      for (const length of [0, 12, wrapped.length - 1]) {
        expect(await keys.unwrap(1, wrapped.subarray(0, length), CONTEXT)).toBeUndefined();
      }
      expect(await keys.unwrap(1, wrapped, CONTEXT)).toEqual(dataKey);
    });

    it('tells itself from other root keys, and stays the same', async () => {
      const place = await create();
      const [keys, again, other] = [
        await place.open(),
        await place.open(),
        await (await create()).open(),
      ];
      const fingerprint = await keys.fingerprint(1);
      expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
      expect(await again.fingerprint(1)).toBe(fingerprint);
      expect(await other.fingerprint(1)).not.toBe(fingerprint);
      await keys.add();
      expect(await keys.fingerprint(2)).not.toBe(fingerprint);
    });

    it('adds epochs and removes the older ones, for another broker too once that looks', async () => {
      const place = await create();
      const [keys, other] = [await place.open(), await place.open()];
      const wrapped = await keys.wrap(1, randomBytes(32), CONTEXT);
      expect(keys.epochs).toEqual([1]);
      expect(await keys.add()).toBe(2);
      expect(keys.epochs).toEqual([1, 2]);
      expect(other.epochs).toEqual([1]);
      await other.refresh();
      expect(other.epochs).toEqual([1, 2]);
      expect(await other.unwrap(1, wrapped, CONTEXT)).toHaveLength(32);
      await keys.retireBelow(2);
      expect(keys.epochs).toEqual([2]);
      await other.refresh();
      expect(other.epochs).toEqual([2]);
      await expect(other.unwrap(1, wrapped, CONTEXT)).rejects.toMatchObject({ code: 'root-key' });
      // Never a number twice.
      expect(await other.add()).toBe(3);
      await expect(keys.retireBelow(9)).rejects.toBeInstanceOf(RangeError);
      expect((await place.open()).epochs).toEqual([2, 3]);
    });
  });
}
