import { expect, it } from 'vitest';
import { bytesField } from '../wire/protobuf.ts';
import { SolveStarts } from './solve-starts.ts';

const build = (name: string): Buffer => bytesField(1, name);
const stays = new AbortController().signal;

it('waits for no build whose call did not come, or whose client has left', async () => {
  const starts = new SolveStarts(1);
  await starts.ready(build('unknown'), stays);
  await starts.ready(Buffer.from([0]), stays);
  const begun = starts.come(build('held'));
  await starts.ready(build('held'), AbortSignal.abort());
  await new SolveStarts().ready(build('unknown'), AbortSignal.abort());
  begun();
});

it('waits until a build has begun that came before or comes afterwards, and not again', async () => {
  const starts = new SolveStarts();
  const order: string[] = [];
  const first = starts.ready(build('one'), stays).then(() => order.push('progress'));
  const begun = starts.come(build('one'));
  const second = starts.ready(build('one'), stays).then(() => order.push('progress'));
  await starts.ready(Buffer.alloc(0), stays);
  order.push('begun');
  begun();
  await Promise.all([first, second]);
  expect(order).toEqual(['begun', 'progress', 'progress']);
  await starts.ready(build('one'), stays);
});
