import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { historyOf } from './history.ts';

const source = {
  id: `sha256:${'1'.repeat(64)}`,
  created: '2026-01-01T00:00:00Z',
  tags: ['app:1'],
  layerSizes: [100, 200],
} as const;

const read = (history: unknown) => historyOf(Buffer.from(JSON.stringify({ history })), source);

describe('history', () => {
  it('lists the history from the newest step, with the size of the layer that each step made', () => {
    expect(
      read([
        { created: '2026-01-01T00:00:00Z', created_by: 'ADD rootfs' },
        { created: '2026-01-01T00:00:01Z', created_by: 'ENV A=b', empty_layer: true },
        { created: '2026-01-01T00:00:02Z', created_by: 'RUN make', comment: 'buildkit' },
      ]),
    ).toEqual([
      {
        id: source.id,
        tags: ['app:1'],
        created: '2026-01-01T00:00:02Z',
        createdBy: 'RUN make',
        comment: 'buildkit',
        size: 200,
      },
      expect.objectContaining({ id: '<missing>', tags: [], createdBy: 'ENV A=b', size: 0 }),
      expect.objectContaining({ id: '<missing>', createdBy: 'ADD rootfs', size: 100 }),
    ]);
  });

  it('lists every layer, whatever the history of an image says', () => {
    expect(read(undefined).map(({ size }) => size)).toEqual([200, 100]);
    expect(read([{ created_by: 'one' }]).map(({ size, createdBy }) => [size, createdBy])).toEqual([
      [200, ''],
      [100, 'one'],
    ]);
    expect(read([{}, {}, {}]).map(({ size }) => size)).toEqual([0, 200, 100]);
  });

  it.each([
    ['a text', 'x'],
    ['numbers', [1]],
    ['a step that is no text', [{ created_by: 1 }]],
  ])('refuses an image history of %s', (_, history) => {
    expect(() => read(history)).toThrow(expect.objectContaining({ code: 'invalid-image' }));
  });

  fuzz.prop([fc.jsonValue({ maxDepth: 4 })], fuzzRuns())(
    'lists any image history or refuses it',
    (history) => {
      try {
        const sum = read(history).reduce((total, { size }) => total + size, 0);
        expect(sum).toBe(300);
      } catch (error) {
        expect(error).toBeInstanceOf(A3sError);
      }
    },
  );
});
