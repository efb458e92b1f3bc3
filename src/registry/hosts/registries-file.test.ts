import { fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { parseRegistries, readRegistries } from './registries-file.ts';

const parse = (text: string) => parseRegistries(Buffer.from(text), 'registries.yaml');

describe('registries.yaml', () => {
  it('reads mirrors and insecure hosts from registries.yaml', () => {
    const found = parse(`
registries:
  docker.io:
    mirrors: ["https://m.example", "http://127.0.0.1:5000", "https://harbor.example/hub/x"]
  "old.example:5000":
    insecure: true
  team.example:
    mirrors: ["http://old.example:5000"]
`);
    expect(found.get('docker.io')?.mirrors.map(({ href }) => href)).toEqual([
      'https://m.example/',
      'http://127.0.0.1:5000/',
      'https://harbor.example/hub/x',
    ]);
    expect(found.get('old.example:5000')).toEqual({ mirrors: [], insecure: true });
    expect(found.get('team.example')?.insecure).toBe(false);
  });

  it('reads a missing registries.yaml as empty', async () => {
    expect(await readRegistries(['/nowhere/registries.yaml', '/dev/null/x'])).toEqual(new Map());
  });

  for (const [text, reason] of [
    ['registries: {r.example: {insecur: true}}', /Unrecognized key.*insecur/],
    ['registry: {}', /Unrecognized key/],
    ['registries: {r.example: {insecure: "true"}}', /registries\.r\.example\.insecure/],
    ['registries: {"r.example/x": {}}', /not the HOST\[:PORT\]/],
    ['registries: {redis: {}}', /not the HOST\[:PORT\]/],
    ['registries: {r.example: {mirrors: ["m.example"]}}', /a mirror is written as/],
    ['registries: {r.example: {mirrors: ["ftp://m.example"]}}', /a mirror is written as/],
    ['registries: {r.example: {mirrors: ["https://u:p@m.example"]}}', /no user/],
    ['registries: {r.example: {mirrors: ["https://m.example/?a"]}}', /no query/],
    ['registries: {r.example: {mirrors: ["https://m.example/A"]}}', /its path/],
    ['registries: {r.example: {mirrors: ["http://m.example"]}}', /plain http is only/],
    ['registries: {r.example: {}, r.example: {}}', /twice/],
    ['', /said here/],
    [': : :', /^Cannot use registries\.yaml: line 1, column 3: Nested/],
  ] as const) {
    it(`refuses the registries.yaml ${JSON.stringify(text)}`, () => {
      expect(() => parse(text)).toThrow(reason);
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    });
  }

  it('reads or refuses any registries.yaml', async () => {
    const piece = fc.constantFrom(
      'registries',
      ':',
      ' ',
      '\n',
      '{',
      '}',
      'mirrors',
      '[',
      ']',
      '"',
      'a.b',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join('')),
    );
    await fuzz(
      fc.property(text, (yaml) => {
        try {
          parse(yaml);
        } catch (error) {
          expect(error).toBeInstanceOf(A3sError);
        }
      }),
    );
  });
});
