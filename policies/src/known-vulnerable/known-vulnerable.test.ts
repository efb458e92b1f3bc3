import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findVulnerable, KNOWN_VULNERABLE, VULNERABLE_CHIPS } from './known-vulnerable.ts';
import { parseKnownVulnerable } from './parse-known-vulnerable.ts';

function shipped(): Record<string, unknown> & { entries: Record<string, unknown>[] } {
  const url = new URL('../../defaults/known-vulnerable.json', import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8'));
}

const FIRMWARE = 'fa4dd29c396fe21514edfe700093147b9e29749d5f1eadf0b20cdf265ee6c9aa';
const LAUNCH =
  'f3223eaab10ba02b7d29217f727736b25b198eb2f5c8835239faef30dcc1041719c7e8f3334a49c9e4015745f754cb9e';

describe('the list of what is known to be vulnerable', () => {
  it('imports as a module the same list that is shipped as a document', () => {
    const { date, entries } = parseKnownVulnerable(shipped());
    const listed = entries.map(({ subject: _, ...entry }) => entry);
    expect({ date, entries: listed }).toEqual(KNOWN_VULNERABLE);
  });

  it('links each entry of the list to an existing advisory', () => {
    for (const { advisory } of KNOWN_VULNERABLE.entries) {
      const [path = '', heading] = advisory.split('#');
      const url = new URL(`../../../docs/${path}`, import.meta.url);
      expect(existsSync(url), advisory).toBe(true);
      if (heading === undefined) continue;
      const headings = readFileSync(url, 'utf8').match(/^#+ .*$/gm) ?? [];
      const anchors = headings.map((line) =>
        line.replace(/^#+ /, '').toLowerCase().replaceAll(' ', '-'),
      );
      expect(anchors).toContain(heading);
    }
  });

  it('mentions every digest of the first advisory in its text', () => {
    const text = readFileSync(
      new URL('../../../docs/advisories/A3S-2026-0001.md', import.meta.url),
      'utf8',
    );
    const listed = KNOWN_VULNERABLE.entries.filter(({ id }) => id === 'A3S-2026-0001');
    expect(listed).toHaveLength(18);
    expect(listed.filter(({ digest }) => !text.includes(digest))).toEqual([]);
  });

  it('finds a vulnerable entry by its kind and digest, in either case', () => {
    expect(findVulnerable('firmware', FIRMWARE)).toMatchObject({ id: 'A3S-2026-0001' });
    expect(findVulnerable('firmware', FIRMWARE.toUpperCase())).toBeDefined();
    expect(findVulnerable('launch', LAUNCH)).toMatchObject({ kind: 'launch', digest: LAUNCH });
    expect(findVulnerable('firmware-pages', LAUNCH)).toBeUndefined();
    expect(findVulnerable('launch', '00'.repeat(48))).toBeUndefined();
  });

  it('lists the Milan whose keys were extracted, by its whole CHIP_ID', () => {
    expect(VULNERABLE_CHIPS).toEqual([expect.stringMatching(/^91c44a33[0-9a-f]{120}$/)]);
  });
});

describe('parseKnownVulnerable', () => {
  const entry = (change: object) => ({
    ...shipped(),
    entries: [{ ...shipped().entries[0], ...change }],
  });

  it.each<[string, unknown, string]>([
    ['an unknown key', { ...shipped(), more: 1 }, 'more'],
    ['another schema', { ...shipped(), schema: 'a3s-box/known-vulnerable/v2' }, 'schema'],
    ['no date', { ...shipped(), date: undefined }, 'date'],
    ['an invalid date', { ...shipped(), date: '2026-02-30' }, 'date'],
    ['a list that is older than an entry', { ...shipped(), date: '2026-11-28' }, 'date'],
    ['a digest of another kind', entry({ kind: 'launch' }), 'entries.0.digest'],
    ['a digest in capitals', entry({ digest: FIRMWARE.toUpperCase() }), 'entries.0.digest'],
    ['an unknown kind', entry({ kind: 'kernel' }), 'entries.0.kind'],
    ['no reason', entry({ reason: '' }), 'entries.0.reason'],
    ['an advisory outside of the documentation', entry({ advisory: '../a.md' }), 'advisory'],
    ['an entry with another key', entry({ allow: true }), 'allow'],
    [
      'a digest twice',
      { ...shipped(), entries: [...shipped().entries, shipped().entries[0]] },
      'no digest twice',
    ],
    ['a value that is no document', [], 'Invalid'],
  ])('refuses a list of known vulnerabilities with %s', (_, document, words) => {
    expect(() => parseKnownVulnerable(document)).toThrow(RangeError);
    expect(() => parseKnownVulnerable(document)).toThrow(words);
  });
});
