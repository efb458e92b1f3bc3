import { readFileSync } from 'node:fs';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STRICT_POLICY } from '../attestation-policy/attestation-policy.ts';
import { readPolicyDocument } from '../document.ts';
import {
  type ImagePolicy,
  isImagePolicyDocument,
  PolicyError,
  parseImagePolicy,
} from './image-policy.ts';

function messagesOf(input: unknown): readonly string[] {
  try {
    parseImagePolicy(input);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    expect(error.code).toBe('policy-invalid');
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

function shipped(name: string): ImagePolicy {
  const url = new URL(`../../defaults/${name}`, import.meta.url);
  return parseImagePolicy(readPolicyDocument(readFileSync(url)));
}

const requiring = (entry: object, more: object = {}): object => ({
  images: [{ pattern: '**', require: [entry] }],
  ...more,
});

const WORKFLOW = {
  issuer: 'https://issuer.example',
  subjectPattern: 'https://team.example/*',
};

describe('the shipped image policies', () => {
  it('allows everything by the shipped default image policy', () => {
    expect(shipped('image-policy.yaml')).toEqual({
      trustedRoots: {},
      images: [{ pattern: '**', allowUnsigned: true }],
    });
  });

  it('parses the example in the comments of the shipped default image policy', () => {
    const url = new URL('../../defaults/image-policy.yaml', import.meta.url);
    const text = readFileSync(url, 'utf8').replaceAll(/^ {2}# (- | {2})/gm, '  $1');
    expect(parseImagePolicy(readPolicyDocument(text)).images).toMatchObject([
      { pattern: 'registry.example:5000/team/**', require: [{ keys: ['team.pub'] }] },
      { pattern: 'registry.example:5000/attic/**', deny: 'nobody maintains these any more' },
      { pattern: '**', allowUnsigned: true },
    ]);
  });

  it('allows nothing unsigned by the shipped strict image policy, except what it names', () => {
    const { images, trustedRoots } = shipped('image-policy-strict.yaml');
    expect(images.map((rule) => ('allowUnsigned' in rule ? 'unsigned' : rule.pattern))).toEqual([
      'registry.example/shop/payments-legacy',
      'registry.example/shop/**',
      'ghcr.io/company/*',
      'docker.io/company/**',
      '**',
    ]);
    expect(Object.keys(trustedRoots)).toEqual(['company']);
  });
});

describe('the documentation', () => {
  it('parses every image policy in the documentation', () => {
    const text = readFileSync(new URL('../../../docs/image-policy.md', import.meta.url), 'utf8');
    const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = '']) => yaml);
    expect(examples).toHaveLength(3);
    for (const yaml of examples) expect(messagesOf(readPolicyDocument(yaml))).toEqual([]);
  });
});

describe('parseImagePolicy', () => {
  it('writes out every default of an image policy', () => {
    expect(parseImagePolicy(requiring({ keys: ['a.pub'] }))).toEqual({
      trustedRoots: {},
      images: [
        {
          pattern: '**',
          require: [
            {
              keys: ['a.pub'],
              identities: [],
              threshold: 1,
              annotations: {},
              transparencyLog: 'required',
              trustedRoot: 'public',
              dockerReference: 'ignore',
            },
          ],
        },
      ],
    });
  });

  it('returns a frozen image policy that parses to itself', () => {
    const policy = parseImagePolicy(
      requiring(
        {
          identities: [WORKFLOW],
          attestation: { predicateType: 'https://slsa.dev/provenance/v1' },
        },
        { trustedRoots: { own: { file: 'root.json' } } },
      ),
    );
    expect(Object.isFrozen(policy.images)).toBe(true);
    expect(parseImagePolicy(policy)).toEqual(policy);
  });

  it('reports all faults of an image policy at once, with suggestions', () => {
    expect(
      messagesOf({
        image: [],
        images: [
          { pattern: 'redis', deny: true },
          { pattern: '**', require: [{ key: ['a.pub'], transparencylog: 'none' }] },
        ],
      }),
    ).toEqual([
      'images[0].pattern: expected the canonical name, docker.io/library/redis, found "redis"',
      'images[1].require[0].key: unknown key `key`: did you mean `keys`?',
      'images[1].require[0].transparencylog: unknown key `transparencylog`: did you mean `transparencyLog`?',
      'images[1].require[0]: expected at least one key or identity, found a mapping',
      'image: unknown key `image`: did you mean `images`?',
    ]);
  });

  it.each<[string, unknown, string]>([
    ['no document', undefined, ': expected a mapping, found nothing'],
    ['no rules', {}, 'images: expected a list of at most 1000, found nothing'],
    ['an empty list', { images: [] }, 'images: expected a list of 1 to 1000, found a list of 0'],
    [
      'too many rules',
      { images: Array.from({ length: 1001 }, () => ({ pattern: '**', deny: true })) },
      'images: expected a list of at most 1000, found a list of 1001',
    ],
    [
      'another schema',
      { schema: 'a3s-box/image-policy/v2', images: [{ pattern: '**', deny: true }] },
      'schema: expected one of a3s-box/image-policy/v1, found "a3s-box/image-policy/v2"',
    ],
  ])('refuses an image policy with %s', (_, input, message) => {
    expect(messagesOf(input)).toEqual([message]);
  });

  it.each<[object, string]>([
    [{}, 'expected exactly one of require, deny and allowUnsigned, found a mapping'],
    [{ deny: true, allowUnsigned: true }, 'expected exactly one of require, deny and'],
    [
      { deny: true, allowUnsignedConfidential: true },
      'images[0].allowUnsignedConfidential: expected allowUnsigned beside it',
    ],
    [
      { allowUnsigned: true, allowUnsignedConfidential: false },
      'images[0].allowUnsignedConfidential: expected true, or no such key, found false',
    ],
    [
      { require: [], deny: true },
      'images[0].require: expected a list of 1 to 16, found a list of 0',
    ],
    [{ deny: false }, 'images[0].deny: expected true, or the reason in one line'],
    [{ deny: '' }, 'images[0].deny: expected true, or the reason in one line'],
    [{ deny: 'a\nb' }, 'images[0].deny: expected true, or the reason in one line'],
    [
      { allowUnsigned: false },
      'images[0].allowUnsigned: expected true, or no such key, found false',
    ],
  ])('refuses in an image policy the rule %j', (rule, message) => {
    const messages = messagesOf({ images: [{ pattern: '**', ...rule }] });
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain(message);
  });

  it.each<[object, string]>([
    [{}, 'images[0].require[0]: expected at least one key or identity'],
    [{ keys: [] }, 'images[0].require[0]: expected at least one key or identity'],
    [{ keys: [''] }, "images[0].require[0].keys[0]: expected a file's name, or a public key"],
    [{ keys: ['a', 'a'], threshold: 2 }, 'threshold: expected at most 1, the number of different'],
    [
      { keys: ['a'], identities: [{ issuer: 'i', subject: 's' }], threshold: 3 },
      'threshold: expected at most 2, the number of different signers, found 3',
    ],
    [{ keys: ['a'], threshold: 0 }, 'threshold: expected an integer from 1 to 128, found 0'],
    [{ identities: [{ issuer: 'i' }] }, 'identities[0]: expected either subject or subjectPattern'],
    [
      { identities: [{ ...WORKFLOW, subject: 's' }] },
      'identities[0]: expected either subject or subjectPattern',
    ],
    [{ identities: [{ subject: 's' }] }, 'identities[0].issuer: expected the issuer of'],
    [
      { identities: [{ issuer: 'i', subjectRegExp: '.*' }] },
      'subjectRegExp: unknown key `subjectRegExp`',
    ],
    [
      { identities: [{ issuer: 'i', subjectPattern: 'a***' }] },
      'subjectPattern: expected "*" between slashes, or "**" across them',
    ],
    [{ keys: ['a'], annotations: { a: 1 } }, 'annotations.a: expected a string (a number,'],
    [
      { keys: ['a'], annotations: JSON.parse('{"a":"b","__proto__":"c"}') },
      'annotations: expected a mapping of at most 64 strings, none called __proto__',
    ],
    [{ keys: ['a'], transparencyLog: 'off' }, 'transparencyLog: expected one of required, none'],
    [
      { keys: ['a'], dockerReference: 'tag' },
      'dockerReference: expected one of ignore, repository',
    ],
    [
      { keys: ['a'], trustedRoot: 'own' },
      'trustedRoot: expected one of the trusted roots public, found "own"',
    ],
    [
      { keys: ['a'], attestation: { predicateType: 'slsaprovenance1' } },
      'expected the type as attestations state it, https://slsa.dev/provenance/v1, found',
    ],
    [
      { keys: ['a'], attestation: { predicateType: 'nothing' } },
      'predicateType: expected a predicate type, such as https://slsa.dev/provenance/v1',
    ],
    [
      { keys: ['a'], attestation: { predicateType: 'a:b' }, annotations: { a: 'b' } },
      'annotations: expected no annotations beside attestation, which has none',
    ],
    [
      { keys: ['a'], attestation: { predicateType: 'a:b' }, dockerReference: 'exact' },
      'dockerReference: expected ignore beside attestation, which names no repository',
    ],
  ])('refuses in an image policy the requirement %j', (entry, message) => {
    const messages = messagesOf(requiring(entry));
    expect(messages.join('\n')).toContain(message);
  });

  it('refuses in an image policy a condition of more than 4096 characters', () => {
    const attestation = { predicateType: 'a:b', conditions: ['x'.repeat(4097)] };
    const messages = messagesOf(requiring({ keys: ['a'], attestation }));
    expect(messages.join('\n')).toContain('conditions[0]: expected a condition in CEL');
  });

  it('accepts a threshold that different subjects of one identity pattern can reach', () => {
    expect(messagesOf(requiring({ identities: [WORKFLOW], threshold: 2 }))).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['public', { file: 'a' }, 'trustedRoots.public: expected a root whose name has letters'],
    ['a b', { file: 'a' }, 'trustedRoots."a b": expected a root whose name has letters'],
    ['own', {}, 'trustedRoots.own: expected one of file, inline, or tuf'],
    ['own', { file: 'a', inline: '{}' }, 'trustedRoots.own: expected one of file, inline, or tuf'],
    ['own', { tuf: 'https://tuf.example' }, 'trustedRoots.own: expected one of file, inline, or'],
    ['own', { file: 'a', root: 'b' }, 'trustedRoots.own: expected one of file, inline, or tuf'],
    ['own', { tuf: 'http://tuf.example', root: 'b' }, 'own.tuf: expected the https URL of a TUF'],
    ['own', { tuf: 'https://u:p@tuf.example', root: 'b' }, 'own.tuf: expected the https URL of'],
  ])('refuses the trusted root %s: %j', (name, source, message) => {
    const messages = messagesOf(requiring({ keys: ['a'] }, { trustedRoots: { [name]: source } }));
    expect(messages.join('\n')).toContain(message);
  });

  it('accepts trusted roots from a mirror, on a loopback address even without TLS', () => {
    for (const tuf of ['https://tuf.example/a', 'http://127.0.0.1:8080', 'http://[::1]:8080']) {
      expect(
        messagesOf(requiring({ keys: ['a'] }, { trustedRoots: { own: { tuf, root: 'r' } } })),
      ).toEqual([]);
    }
  });

  it('refuses a rule that an earlier rule hides', () => {
    const hidden = (first: string, second: string): readonly string[] =>
      messagesOf({
        images: [
          { pattern: first, allowUnsigned: true },
          { pattern: second, deny: true },
        ],
      });
    expect(hidden('**', 'docker.io/library/redis')).toEqual([
      'images[1].pattern: expected a rule that can be reached: images[0] (**) matches all of it and comes first, found "docker.io/library/redis"',
    ]);
    expect(hidden('a.example/*', 'a.example/b')).toHaveLength(1);
    expect(hidden('a.example/b', 'a.example/b')).toEqual([
      'images[1].pattern: expected a pattern that no earlier rule has (images[0] has it), found "a.example/b"',
    ]);
    expect(hidden('a.example/b', 'a.example/*')).toEqual([]);
    expect(hidden('a.example/*', 'a.example/**')).toEqual([]);
  });

  it('refuses image patterns whose comparison would take long', () => {
    const long = '*a'.repeat(200);
    const images = Array.from({ length: 1000 }, (_, at) => ({
      pattern: `${long}${at}b/c`,
      deny: true,
    }));
    expect(messagesOf({ images }).join('\n')).toContain(
      'images: expected fewer or shorter patterns',
    );
  });

  it('distinguishes image policies from other documents', () => {
    expect(isImagePolicyDocument({ images: 7 })).toBe(true);
    expect(isImagePolicyDocument({ schema: 'a3s-box/image-policy/v1' })).toBe(true);
    expect(isImagePolicyDocument({ image: [] })).toBe(true);
    expect(isImagePolicyDocument({ trustedRoots: {} })).toBe(true);
    expect(isImagePolicyDocument({ measurements: [] })).toBe(false);
    for (const key of Object.keys(STRICT_POLICY)) {
      expect(isImagePolicyDocument({ [key]: [] })).toBe(false);
    }
    expect(isImagePolicyDocument({ imageIds: [] })).toBe(false);
    expect(isImagePolicyDocument({})).toBe(false);
    expect(isImagePolicyDocument([])).toBe(false);
  });

  it(
    'parses any value as an image policy or reports problems, and inherits no members',
    () => {
      const keys = fc.constantFrom(
        'images',
        'pattern',
        'require',
        'keys',
        'deny',
        'allowUnsigned',
        'trustedRoots',
        'identities',
        'issuer',
        '__proto__',
        'constructor',
      );
      const { tree } = fc.letrec((tie) => ({
        tree: fc.oneof(
          { maxDepth: 6 },
          fc.constantFrom('**', 'a', true, 1, null, ''),
          fc.array(tie('tree'), { maxLength: 3 }),
          fc.dictionary(keys, tie('tree'), { maxKeys: 4 }),
        ),
      }));
      fuzz(
        fc.property(tree, (input) => {
          const before = structuredClone(input);
          for (const message of messagesOf(input)) expect(message).not.toContain('Invalid input');
          expect(input).toEqual(before);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
