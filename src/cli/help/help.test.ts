import { describe, expect, it } from 'vitest';
import type { Entries } from '../command-entry.ts';
import { COMMANDS, GROUPS } from '../command-table/command-table.ts';
import { transcript } from '../testing/fake-context.ts';

const verbs = (entries: Entries): string[] => Object.keys(entries);
const LINES: readonly string[] = [
  '--help',
  ...verbs(COMMANDS).map((name) => `${name} --help`),
  ...Object.entries(GROUPS).flatMap(([name, group]) => [
    `${name} --help`,
    ...verbs(group.commands).map((verb) => `${name} ${verb} --help`),
  ]),
];

async function help(line: string, columns?: number): Promise<string> {
  const ends = columns === undefined ? {} : { terminal: true as const, columns };
  const done = await transcript('/nonexistent', line.split(' '), ends);
  expect(done).toMatchObject({ status: 0, stderr: '' });
  return done.stdout;
}

const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));
const words = (text: string): string[] => text.split(/\s+/);

describe('help', () => {
  it.each([60, 72, 80, 100])(
    'fits the help of every command into a terminal of %d columns',
    async (columns) => {
      for (const line of LINES) {
        const text = await help(line, columns);
        expect(widest(text), `${line}: ${text}`).toBeLessThanOrEqual(columns);
        // The narrow layout omits no words.
        expect(words(text)).toEqual(words(await help(line)));
      }
    },
  );

  it('limits the width of help to that of a page, also without a terminal', async () => {
    const text = await help('run --help', 240);
    expect(widest(text)).toBeLessThanOrEqual(100);
    expect(await help('run --help')).toBe(text);
    expect(widest(text)).toBeGreaterThan(90);
  });

  it('puts a long flag on its own line when the terminal is narrow', async () => {
    const lines = (await help('run --help', 60)).split('\n');
    const long = lines.findIndex((line) => line.includes('--secrets-deadline'));
    expect(lines[long]).toMatch(/^ {6}--secrets-deadline \w+$/);
    expect(lines[long + 1]).toMatch(/^ {24}\S/);
  });

  it('formats help for at least 60 columns', async () => {
    expect(await help('run --help', 20)).toBe(await help('run --help', 60));
  });
});
