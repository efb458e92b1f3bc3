/**
 * docs/boxes/templates.md against the code: its bounds, events and filters are those that hold.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { TEMPLATE_ROUTES } from '../../src/server/a3s/templates.ts';
import type { TemplateAction } from '../../src/templates/options.ts';

const text = readFileSync(
  join(fileURLToPath(new URL('../..', import.meta.url)), 'docs/boxes/templates.md'),
  'utf8',
);

it('docs/boxes/templates.md states the default limits', () => {
  const { max, maxAgeMs } = readConfig({}, 1000, '/opt/a3s').templates;
  expect(text).toContain(`| templates | ${max}; `);
  expect(text).toContain(`| their age | ${maxAgeMs / 3_600_000} hours | `);
});

it('docs/boxes/templates.md names every event', () => {
  const actions: Record<TemplateAction, true> = {
    ...{ create: true, fail: true, miss: true, drop: true },
    ...{ expire: true, evict: true, stale: true, remove: true },
  };
  const [row = ''] = /^\| `a3s-box events .*$/m.exec(text) ?? [];
  expect([...row.matchAll(/`([a-z]+)`/g)].map(([, name]) => name).sort()).toEqual(
    Object.keys(actions).sort(),
  );
});

it('docs/boxes/templates.md names every route', () => {
  for (const { method, path } of TEMPLATE_ROUTES) {
    expect(text).toContain(`\`${method} ${path.replace(':id', '{id}')}`);
  }
});
