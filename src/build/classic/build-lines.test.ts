import { expect, it } from 'vitest';
import { BuildLines } from './build-lines.ts';

const ID = `sha256:${'1'.repeat(64)}`;
/** As the image is called here. */
const OWN = `sha256:${'abc'.repeat(21)}d`;
const aux = { aux: { ID } };
const text = (...lines: readonly unknown[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\r\n`).join('');

/** What is passed on of the lines, and the reader of them. */
function read(lines: string, size = lines.length, quiet = false) {
  const reader = new BuildLines({ quiet });
  const bytes = Buffer.from(lines);
  const passed: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    passed.push(reader.read(bytes.subarray(at, at + size)));
  }
  passed.push(reader.end());
  return { reader, passed: Buffer.concat(passed).toString() };
}

it('finds the id of the result, and holds the lines with it back, however the lines are cut', () => {
  const first = text({ stream: 'Step 1/2 : RUN echo é\n' });
  const lines = first + text(aux, { stream: `Successfully built ${'1'.repeat(12)}\n` });
  for (const size of [1, 7, 1000]) {
    const { reader, passed } = read(lines, size);
    expect(reader.id).toBe(ID);
    expect(passed).toBe(first);
    expect([...reader.of(OWN)]).toEqual([
      { aux: { ID: OWN } },
      { stream: 'Successfully built abcabcabcabc\n' },
    ]);
  }
});

it('takes the last id, which is that of BuildKit’s result too', () => {
  const other = { aux: { ID: `sha256:${'2'.repeat(64)}` } };
  const trace = { id: 'moby.buildkit.trace', aux: 'CgA=' };
  const { reader, passed } = read(text(other, trace, { id: 'moby.image.id', ...aux }));
  expect(reader.id).toBe(ID);
  expect(passed).toBe(text(trace));
  expect([...reader.of(OWN)]).toEqual([{ id: 'moby.image.id', aux: { ID: OWN } }]);
});

it('takes the id of a quiet build, which is all of its output', () => {
  const { reader, passed } = read(text({ stream: `${ID}\n` }), 7, true);
  expect({ id: reader.id, passed }).toEqual({ id: ID, passed: '' });
  expect([...reader.of(OWN)]).toEqual([{ stream: `${OWN}\n` }]);
});

it('passes on what a step of a build writes, even if it is an id', () => {
  const lines = text({ stream: `${ID}\n` }, { stream: 'Successfully built it\n' });
  const { reader, passed } = read(lines);
  expect({ id: reader.id, passed }).toEqual({ id: undefined, passed: lines });
});

it('keeps no line that is too long to have an id', () => {
  const reader = new BuildLines();
  const half = Buffer.alloc(600_000, 'x');
  expect(reader.read(half)).toHaveLength(0);
  expect(reader.read(half)).toHaveLength(1_200_000);
  expect(reader.end()).toHaveLength(0);
});

it.each([
  ['a failed build', text(aux, { errorDetail: { message: 'no' }, error: 'no' })],
  ['a build without a result', text({ stream: 'Step 1/2' })],
  ['an id that is none', text({ aux: { ID: 'sha256:1' } })],
  ['what is no JSON', '{"aux": {"ID"\n"aux"\n'],
])('finds no id in %s', (_, lines) => {
  expect(read(lines).reader.id).toBeUndefined();
});
