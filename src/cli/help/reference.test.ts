import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { COMMANDS, GROUPS } from '../command-table/command-table.ts';
import { cliReference, REGENERATE } from './reference.ts';

it('docs/cli.md matches the commands', async () => {
  const path = join(import.meta.dirname, '../../../docs/cli.md');
  const differs = readFileSync(path, 'utf8') !== (await cliReference());
  expect(differs, `docs/cli.md is out of date: make it again with ${REGENERATE}`).toBe(false);
});

it('documents every command with all its flags', async () => {
  const text = await cliReference();
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    const start = text.indexOf(`\n## ${name}\n`);
    expect(start, name).toBeGreaterThan(0);
    const end = text.indexOf('\n## ', start + 1);
    const section = text.slice(start, end < 0 ? undefined : end);
    for (const flag of (await load()).flags) expect(section).toContain(`--${flag.name}`);
  }
  for (const [name, group] of Object.entries(GROUPS)) {
    const start = text.indexOf(`\n## ${name}\n`);
    expect(start, name).toBeGreaterThan(0);
    for (const verb of Object.keys(group.commands)) {
      expect(text.slice(start)).toContain(`\`${verb}\``);
    }
  }
});

it('links only to existing headings', async () => {
  const text = await cliReference();
  const headings = new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading.replaceAll(' ', '-')),
  );
  for (const [, anchor = ''] of text.matchAll(/\]\(#([^)]*)\)/g)) {
    expect(headings).toContain(anchor);
  }
});
