import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHAPTERS } from './script.ts';

const ROOT = join(import.meta.dirname, '../../..');
const COMMANDS = CHAPTERS.flatMap(([, commands]) => commands);
const DIFFERENCES = new Set(COMMANDS.flatMap(({ differs }) => differs ?? []));

describe("the script of docker's commands", () => {
  it('the docker script has at least 500 commands', () => {
    expect(COMMANDS.length).toBeGreaterThanOrEqual(500);
  });

  it('the docker script has at most ten commands that differ from dockerd', () => {
    expect(COMMANDS.filter(({ differs }) => differs !== undefined).length).toBeLessThanOrEqual(10);
  });

  it.each([...DIFFERENCES])(
    'finds the documented difference "$words" in $document',
    ({ document, words }) => {
      if (document.startsWith('https://docs.docker.com/')) return;
      const page = readFileSync(join(ROOT, document), 'utf8');
      expect(page.replace(/\s+/g, ' ')).toContain(words);
    },
  );
});
