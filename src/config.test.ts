import { expect, it } from 'vitest';
import { readConfig } from './config.ts';

it('accepts weak cells only where exactly that is asked for', () => {
  const accepts = (value: string | undefined): boolean =>
    readConfig({ A3S_ALLOW_WEAK_CELL: value }, 1000, '/opt/a3s').allowWeakCell;
  expect(accepts('1')).toBe(true);
  for (const value of [undefined, '', '0', 'no', 'true']) expect(accepts(value)).toBe(false);
});

it('has templates unless they are switched off, within bounds', () => {
  const templates = (env: Record<string, string>) => readConfig(env, 1000, '/opt/a3s').templates;
  expect(templates({})).toEqual({ enabled: true, max: 8, maxAgeMs: 86_400_000 });
  expect(templates({ A3S_TEMPLATES: 'off' }).enabled).toBe(false);
  expect(templates({ A3S_TEMPLATES: 'on', A3S_TEMPLATES_MAX: '2' })).toMatchObject({
    enabled: true,
    max: 2,
  });
  expect(templates({ A3S_TEMPLATE_MAX_AGE: '60' }).maxAgeMs).toBe(60_000);
  for (const [name, value] of [
    ['A3S_TEMPLATES', 'no'],
    ['A3S_TEMPLATES_MAX', '0'],
    ['A3S_TEMPLATES_MAX', '65'],
    ['A3S_TEMPLATE_MAX_AGE', '1.5'],
    ['A3S_TEMPLATE_MAX_AGE', '604801'],
  ] as const) {
    expect(() => templates({ [name]: value })).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining(`${name}=${value}`),
      }),
    );
  }
});
