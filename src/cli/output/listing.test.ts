import { describe, expect, it } from 'vitest';
import { prepareFormat } from './listing.ts';
import { historyListing, historyRow } from './rows/history-row.ts';

/** Clears the screen, breaks the line, and uses 8-bit control characters. */
const HOSTILE = 'RUN \x1b[2Jx\nsha256:beef   \u009b2Jtrue';

const row = historyRow({ Id: 'sha256:1', CreatedBy: HOSTILE, Comment: HOSTILE }, true, true, 0);
const shown = (format?: string) => prepareFormat(format, historyListing(true))([row]);

describe('a listing', () => {
  it.each([undefined, 'table {{.CreatedBy}}', 'table {{.ID}}\t{{upper .Comment}}'])(
    'prints one line per row in a table, without control characters: %s',
    (format) => {
      const lines = shown(format).trimEnd().split('\n');
      expect(lines).toHaveLength(2);
      expect(lines[1]).toMatch(/RUN \ufffd\[2J.*\ufffd2J/i);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what may not be there
      expect(shown(format)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    },
  );

  it('keeps line breaks in a template, and removes control characters', () => {
    expect(shown('{{.CreatedBy}}')).toBe('RUN \ufffd[2Jx\nsha256:beef   \ufffd2Jtrue\n');
  });

  it('removes control characters from method results', () => {
    const rows = [{ Label: (name: string) => `${name}=\x1b]0;title` }];
    const format = prepareFormat('{{.Label "a"}}', { defaults: '', headers: {} });
    expect(format(rows)).toBe('a=\ufffd]0;title\n');
  });

  it('prints the original text in JSON', () => {
    for (const format of ['json', '{{json .}}', '{{json .CreatedBy}}']) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what may not be there
      expect(shown(format)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
    }
    expect(JSON.parse(shown('json'))).toMatchObject({ CreatedBy: HOSTILE });
  });
});
