import { expect, it } from 'vitest';
import { bytesField } from '../wire/protobuf.ts';
import { buildOf, SolveStarts } from './solve-starts.ts';

const build = (name: string): Buffer => bytesField(1, name);
const stays = new AbortController().signal;

it('waits for no build whose call did not come, or whose client has left', async () => {
  const starts = new SolveStarts(1);
  await starts.ready('unknown', stays);
  await starts.ready(buildOf(Buffer.from([0])), stays);
  const begun = starts.come(build('held'));
  await starts.ready('held', AbortSignal.abort());
  await new SolveStarts().ready('unknown', AbortSignal.abort());
  begun();
});

it('waits until a build has begun that came before or comes afterwards, and not again', async () => {
  const starts = new SolveStarts();
  const order: string[] = [];
  const first = starts.ready('one', stays).then(() => order.push('progress'));
  const begun = starts.come(build('one'));
  const second = starts.ready('one', stays).then(() => order.push('progress'));
  await starts.ready(buildOf(Buffer.alloc(0)), stays);
  order.push('begun');
  begun();
  await Promise.all([first, second]);
  expect(order).toEqual(['begun', 'progress', 'progress']);
  await starts.ready('one', stays);
});
