import { afterAll, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../../testing/images.ts';

/** Its name can move to another image, or be gone. */
const images = new FakeImages(TEST_IMAGE);
const home = new TestHome(images);
afterAll(() => home.remove());

async function shown(): Promise<readonly unknown[]> {
  const { body } = await home.call('GET', '/containers/json?all=1');
  return (body as { Image: string }[]).map(({ Image }) => Image);
}

it('lists the id of an image whose name has moved or gone, as Docker does', async () => {
  await home.start();
  await home.create(['true']);
  expect(await shown()).toEqual(['busybox']);
  const { resolve } = images;
  images.resolve = async () => ({ ...TEST_IMAGE, id: `sha256:${'9'.repeat(64)}` });
  expect(await shown()).toEqual([TEST_IMAGE.id]);
  images.resolve = () => Promise.reject(new Error('no such image'));
  expect(await shown()).toEqual([TEST_IMAGE.id]);
  images.resolve = resolve;
  expect(await shown()).toEqual(['busybox']);
});
