import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ImageService, RuntimeService } from './grpc/library.ts';

/** Methods that answer UNIMPLEMENTED on purpose. */
const REFUSED = ['RuntimeService/CheckpointContainer'];

it('the page on Kubernetes says of every method whether it works', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8');
  const rows = page.matchAll(/^\| `(\w+\/\w+)` \| (works|refused) \|/gm);
  const methods = [...RuntimeService.methods, ...ImageService.methods];
  const names = methods.map(({ parent, name }) => `${parent.name}/${name}`);
  expect(Object.fromEntries([...rows].map(([, name, state]) => [name, state]))).toEqual(
    Object.fromEntries(names.map((name) => [name, REFUSED.includes(name) ? 'refused' : 'works'])),
  );
});
