import { expect, it } from 'vitest';
import { WorkerLists } from './worker-lists.ts';

const builder = { image: 'sha256:1', cacheDisk: 'disk 1' };
const ASKED = Buffer.alloc(0);
const answer = (status = '0', bytes = 10) => ({
  head: {},
  body: Buffer.alloc(bytes),
  trailers: { 'grpc-status': status },
});

it('knows the answer of a builder with this image and this disk, and of no other', () => {
  const lists = new WorkerLists();
  const given = answer();
  lists.keep(builder, ASKED, given);
  expect(lists.of(builder, ASKED)).toBe(given);
  expect(lists.of({ ...builder, image: 'sha256:2' }, ASKED)).toBeUndefined();
  expect(lists.of({ ...builder, cacheDisk: 'disk 2' }, ASKED)).toBeUndefined();
});

it('keeps no error, no large answer, and none to another question', () => {
  const lists = new WorkerLists();
  const filtered = Buffer.from('filter');
  lists.keep(builder, ASKED, answer('14'));
  lists.keep(builder, ASKED, { ...answer(), trailers: undefined });
  lists.keep(builder, ASKED, answer('0', 64 * 1024 + 1));
  lists.keep(builder, filtered, answer());
  expect(lists.of(builder, ASKED)).toBeUndefined();
  lists.keep(builder, ASKED, answer());
  expect(lists.of(builder, filtered)).toBeUndefined();
});

it('forgets the oldest answer beyond its bound', () => {
  const lists = new WorkerLists();
  const disk = (n: number) => ({ ...builder, cacheDisk: `disk ${n}` });
  for (let n = 0; n < 17; n += 1) lists.keep(disk(n), ASKED, answer());
  expect(lists.of(disk(0), ASKED)).toBeUndefined();
  expect(lists.of(disk(1), ASKED)).toBeDefined();
});
