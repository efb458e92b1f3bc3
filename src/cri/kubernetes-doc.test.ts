import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ImageService, RuntimeService } from './grpc/library.ts';

/** Methods that answer UNIMPLEMENTED on purpose. */
const REFUSED = ['RuntimeService/CheckpointContainer'];

it('the page on Kubernetes says of every method whether it works', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/boxes/kubernetes.md'), 'utf8');
  const rows = page.matchAll(/^\| `(\w+\/\w+)` \| (works|refused) \|/gm);
  const methods = [...RuntimeService.methods, ...ImageService.methods];
  const names = methods.map(({ parent, name }) => `${parent.name}/${name}`);
  expect(Object.fromEntries([...rows].map(([, name, state]) => [name, state]))).toEqual(
    Object.fromEntries(names.map((name) => [name, REFUSED.includes(name) ? 'refused' : 'works'])),
  );
});

/** Those of cri-tools' `crictl`. */
const CRICTL = [
  ...['attach', 'checkpoint', 'completion', 'config', 'create', 'events', 'exec', 'imagefsinfo'],
  ...['images', 'info', 'inspect', 'inspecti', 'inspectp', 'logs', 'metricdescs', 'metricsp'],
  ...['pods', 'port-forward', 'ps', 'pull', 'rm', 'rmi', 'rmp', 'run', 'runp', 'runtime-config'],
  ...['start', 'stats', 'statsp', 'stop', 'stopp', 'update', 'update-runtime-config', 'version'],
];

it('no remedy and no page names a command that crictl does not have', () => {
  const root = join(import.meta.dirname, '../..');
  const sources = ['src/cri', 'src/pods'].flatMap((directory) =>
    readdirSync(join(root, directory), { encoding: 'utf8', recursive: true })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => join(directory, file)),
  );
  const named = ['docs/boxes/kubernetes.md', ...sources].flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const uses = text.matchAll(/\bcrictl (?:--\S+ \S+ )*([a-z-]+)/g);
    return [...uses].map(([, command = '']) => ({ file, command }));
  });
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter(({ command }) => !CRICTL.includes(command))).toEqual([]);
});

it('the table of critest’s behaviours names tests that are there', () => {
  const root = join(import.meta.dirname, '../..');
  const page = readFileSync(join(root, 'docs/boxes/kubernetes.md'), 'utf8');
  const rows = page.split('\n').filter((line) => /^\|.*\| (passes|refused)/.test(line));
  const named = rows.flatMap((row) => [...row.matchAll(/`([\w./-]+)` “([^”]+)”/g)]);
  expect(named.length).toBeGreaterThan(30);
  for (const [, file = '', title = ''] of named) {
    const test = readFileSync(join(root, file), 'utf8');
    const titles = [`'${title}'`, `func ${title}(`];
    expect(titles.some((each) => test.includes(each)) ? '' : `${file} ${title}`).toBe('');
  }
  // What passes is shown by a test.
  const unnamed = rows.filter((row) => / passes/.test(row) && !/passes: `/.test(row));
  expect(unnamed).toEqual([]);
});
