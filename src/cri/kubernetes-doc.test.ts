import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TestHome } from '../server/testing/home.ts';
import { ImageService, RuntimeService } from './grpc/library.ts';
import { criServices } from './services.ts';

it('the page on Kubernetes says of every method whether it works', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8');
  const rows = page.matchAll(/^\| `(\w+\/\w+)` \| (works|not implemented) \|/gm);
  const home = new TestHome();
  try {
    const { runtime, images } = criServices(await home.start(), { url: () => '' }, '0.0.0');
    const has = (methods: object, name: string): boolean => name in methods;
    const expected = [
      ...RuntimeService.methods.map((method) => [method, has(runtime, method.localName)] as const),
      ...ImageService.methods.map((method) => [method, has(images, method.localName)] as const),
    ].map(([{ parent, name }, works]) => [
      `${parent.name}/${name}`,
      works ? 'works' : 'not implemented',
    ]);
    expect(Object.fromEntries([...rows].map(([, name, state]) => [name, state]))).toEqual(
      Object.fromEntries(expected),
    );
  } finally {
    await home.remove();
  }
});
