import { expect, it } from 'vitest';
import { readBody } from './body.ts';

const requestOf = (body: string | ReadableStream | null) =>
  new Request('http://broker/', { method: 'POST', body, duplex: 'half' } as RequestInit);

it('reads a body up to its bound, and refuses a longer one', async () => {
  expect((await readBody(requestOf('four'), 4)).toString()).toBe('four');
  expect(await readBody(requestOf(null), 4)).toHaveLength(0);
  await expect(readBody(requestOf('fives'), 4)).rejects.toMatchObject({ code: 'too-large' });
});

it('takes a body whose client went away for a bad request, not for a failure', async () => {
  const body = new ReadableStream({
    pull: (controller) => controller.error(new Error('aborted')),
  });
  await expect(readBody(requestOf(body), 4)).rejects.toMatchObject({ code: 'kbs-request' });
});
