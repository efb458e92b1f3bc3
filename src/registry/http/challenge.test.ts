import { fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Challenge, parseChallenges } from './challenge.ts';

function shown(challenges: readonly Challenge[] | undefined): unknown {
  return challenges?.map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe('WWW-Authenticate', () => {
  const good: [string, unknown][] = [
    ['', []],
    [' , ,', []],
    ['Basic realm="registry"', [['basic', { realm: 'registry' }]]],
    ['Negotiate', [['negotiate', {}]]],
    ['Negotiate YWJj==', [['negotiate', {}]]],
    [
      'Negotiate abc=, Basic realm=x',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'Bearer realm="https://t.example/token",service="r",scope="repository:a/b:pull,push"',
      [
        [
          'bearer',
          { realm: 'https://t.example/token', service: 'r', scope: 'repository:a/b:pull,push' },
        ],
      ],
    ],
    [
      'Bearer REALM = "a\\"b" , x=1, Basic realm=y',
      [
        ['bearer', { realm: 'a"b', x: '1' }],
        ['basic', { realm: 'y' }],
      ],
    ],
    [
      'Negotiate, NTLM, Basic realm=""',
      [
        ['negotiate', {}],
        ['ntlm', {}],
        ['basic', { realm: '' }],
      ],
    ],
  ];
  for (const [text, expected] of good) {
    it(`parses the challenge ${JSON.stringify(text)}`, () => {
      expect(shown(parseChallenges(text))).toEqual(expected);
    });
  }

  const bad = [
    'Basic realm="open',
    'Basic realm="a" realm="b"',
    'Basic realm="a", realm="b"',
    'Basic realm="a" x',
    '"Basic"',
    'Basic realm="\u0001"',
    'Bearer a=b=c',
    `Basic realm="${'x'.repeat(9000)}"`,
    'A,'.repeat(17),
    `Basic ${Array.from({ length: 33 }, (_, index) => `p${index}=1`).join(',')}`,
  ];
  for (const text of bad) {
    it(`refuses the challenge ${JSON.stringify(text.slice(0, 40))}`, () => {
      expect(parseChallenges(text)).toBeUndefined();
    });
  }

  it('parses any challenges back as they were written', async () => {
    const token = fc.stringMatching(/^[A-Za-z0-9!#$.^_`|~-]{1,8}$/);
    const value = fc.stringMatching(/^[\x20-\x7e]{0,20}$/);
    const challenge = fc.tuple(token, fc.dictionary(token, value, { maxKeys: 4 }));
    await fuzz(
      fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
        const text = challenges
          .map(([scheme, parameters]) => {
            const list = Object.entries(parameters).map(
              ([name, text]) => `${name}="${text.replace(/["\\]/g, '\\$&')}"`,
            );
            return `${scheme} ${list.join(', ')}`.trim();
          })
          .join(', ');
        const lower = challenges.map(([scheme, parameters]) => [
          scheme.toLowerCase(),
          Object.entries(parameters).map(([name, text]) => [name.toLowerCase(), text]),
        ]);
        const names = lower.map(([, list]) => (list as string[][]).map(([name]) => name));
        fc.pre(names.every((list) => new Set(list).size === list.length));
        const read = parseChallenges(text)?.map(({ scheme, parameters }) => [
          scheme,
          [...parameters],
        ]);
        expect(read).toEqual(lower);
      }),
    );
  });

  it('parses any text as challenges or returns undefined', async () => {
    const piece = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'a', '==', '\t', 'realm="x"');
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 60 }).map((all) => all.join('')),
    );
    await fuzz(
      fc.property(text, (field) => {
        const challenges = parseChallenges(field) ?? [];
        for (const { scheme, parameters } of challenges) {
          expect(scheme).toMatch(/^[!-~]+$/);
          for (const name of parameters.keys()) expect(name).toMatch(/^[!-~]+$/);
        }
      }),
    );
  });
});
