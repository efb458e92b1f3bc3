import { expect, it } from 'vitest';
import type { Box } from '../record/box.ts';
import { lackOf, unseenLack } from './secrets-lack.ts';

function boxOf(state: string, fetches: boolean): Box {
  const broker = fetches ? { broker: { host: 'broker.test' } } : {};
  return {
    definition: { confidential: { secrets: [{ name: 'token' }], ...broker } },
    state: { launch: { secrets: { state, delivered: [] } } },
  } as unknown as Box;
}

it.each([
  ['expired', true, 'secrets-not-fetched'],
  ['expired', false, 'secrets-deadline'],
  ['refused', true, 'secret-refused'],
  ['refused', false, 'secret-refused'],
])('names the lack of secrets that are %s, fetched %s: %s', (state, fetches, code) => {
  expect(unseenLack(boxOf(state, fetches))?.code).toBe(code);
  expect(lackOf(code)).toBe(state);
});

it.each(['volume-rolled-back', 'volume-not-counted'])(
  'takes %s for secrets that do not come',
  (code) => {
    expect(lackOf(code)).toBe('refused');
  },
);

it('names no secrets where a box without secrets waited for its volumes to be counted', () => {
  const box = boxOf('refused', true);
  const definition = { confidential: { secrets: [], broker: { host: 'broker.test' } } };
  expect(unseenLack({ ...box, definition } as unknown as Box)?.code).toBe('volume-not-counted');
});

it('knows no lack where secrets are there, wait or were never asked for', () => {
  for (const state of ['waiting', 'ready', 'none', '__proto__']) {
    expect(unseenLack(boxOf(state, true))).toBeUndefined();
  }
  expect(unseenLack({ definition: {}, state: {} } as unknown as Box)).toBeUndefined();
  for (const code of [undefined, '', 'internal']) expect(lackOf(code)).toBeUndefined();
});
