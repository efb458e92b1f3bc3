import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyChanges } from './changes.ts';

it.each<[string, object]>([
  ['HEALTHCHECK NONE', { Test: ['NONE'] }],
  ['HEALTHCHECK CMD curl -f localhost', { Test: ['CMD-SHELL', 'curl -f localhost'] }],
  ['healthcheck cmd ["curl", "-f"]', { Test: ['CMD', 'curl', '-f'] }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=1.5s --retries=5 --start-period=10ms --start-interval=1h CMD x',
    {
      Test: ['CMD-SHELL', 'x'],
      ...{ Interval: 90e9, Timeout: 1.5e9, Retries: 5, StartPeriod: 10e6, StartInterval: 3600e9 },
    },
  ],
])('applies the change %s', (change, healthcheck) => {
  expect(applyChanges([change])).toEqual({ Healthcheck: healthcheck });
});

it.each([
  ['HEALTHCHECK CMD', /a command is missing/],
  ['HEALTHCHECK CMD []', /a command is missing/],
  ['HEALTHCHECK NONE x', /no arguments/],
  ['HEALTHCHECK curl', /CMD with a command, or NONE/],
  ['HEALTHCHECK --interval=30s', /CMD with a command, or NONE/],
  ['HEALTHCHECK --interval=30 CMD x', /no time/],
  ['HEALTHCHECK --interval=1ns CMD x', /less than 1ms/],
  ['HEALTHCHECK --retries=-1 CMD x', /a number/],
  ['HEALTHCHECK --often=1s CMD x', /no option/],
  ['HEALTHCHECK --timeout=1s --timeout=2s CMD x', /twice/],
])('refuses the change %s', (change, message) => {
  expect(() => applyChanges([change])).toThrow(
    expect.objectContaining({
      code: 'invalid-argument',
      message: expect.stringMatching(message),
    }),
  );
});

property.prop([fc.string()])('whatever is asked for is taken or refused', (text) => {
  try {
    applyChanges([`HEALTHCHECK ${text}`]);
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid-argument' });
  }
});
