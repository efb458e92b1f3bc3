import { expect, it } from 'vitest';
import { BuildLines } from './build-lines.ts';

const ID = `sha256:${'1'.repeat(64)}`;
const aux = { aux: { ID } };
const text = (...lines: readonly unknown[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\r\n`).join('');

function idOf(lines: string, size = lines.length): string | undefined {
  const read = new BuildLines();
  const bytes = Buffer.from(lines);
  for (let at = 0; at < bytes.length; at += size) read.read(bytes.subarray(at, at + size));
  return read.id;
}

it('finds the id of the result, however the lines are cut', () => {
  const lines = text({ stream: 'Step 1/2' }, aux, { stream: 'Successfully built 1\n' });
  for (const size of [1, 7, 1000]) expect(idOf(lines, size)).toBe(ID);
});

it('takes the last id, which is that of BuildKit’s result too', () => {
  const other = { aux: { ID: `sha256:${'2'.repeat(64)}` } };
  const trace = { id: 'moby.buildkit.trace', aux: 'CgA=' };
  expect(idOf(text(other, trace, { id: 'moby.image.id', ...aux }))).toBe(ID);
});

it.each([
  ['a failed build', text(aux, { errorDetail: { message: 'no' }, error: 'no' })],
  ['a build without a result', text({ stream: 'Step 1/2' })],
  ['an id that is none', text({ aux: { ID: 'sha256:1' } })],
  ['what is no JSON', '{"aux": {"ID"\n"aux"\n'],
])('finds no id in %s', (_, lines) => {
  expect(idOf(lines)).toBeUndefined();
});
