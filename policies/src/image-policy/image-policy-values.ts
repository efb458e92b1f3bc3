/**
 * The kinds of value in an image policy.
 *
 * Every error message states the expected value, as {@link problemsOf} requires.
 *
 * @module
 */
import * as z from 'zod/mini';
import { plainCopy } from '../plain-copy.ts';
import { converted, list } from '../policy-values.ts';
import { hasTangledStars } from './glob.ts';
import { imagePatternFault } from './image-pattern.ts';

/** Of a PEM file or text, and of a document that is written out, in characters. */
export const MAX_MATERIAL = 64 * 1024;

/** A value in which `fault` finds no fault. */
function faultless(fault: (value: unknown) => string | undefined) {
  return z.pipe(
    z.unknown(),
    z.transform((input, context): string => {
      const expected = fault(input);
      if (expected === undefined) return String(input);
      context.issues.push({ code: 'custom', message: expected, input });
      return z.NEVER;
    }),
  );
}

function isText(value: unknown, maximum: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maximum;
}

/** One line of printable characters. */
export function line(what: string, maximum: number) {
  return converted(`${what}, of 1 to ${maximum} characters in one line`, (value) =>
    isText(value, maximum) && !/\p{Cc}/u.test(value) ? value : undefined,
  );
}

/** Text of any lines. */
export function text(what: string, maximum: number) {
  return converted(`${what}, of 1 to ${maximum} characters`, (value) =>
    isText(value, maximum) ? value : undefined,
  );
}

/** A list that has at least one entry, each of them once. */
export function someOf<Item extends z.core.$ZodType>(item: Item, maximum: number) {
  const some = z.check<z.output<Item>[]>(({ value, issues }) => {
    if (value.length > 0) return;
    issues.push({ code: 'custom', message: `a list of 1 to ${maximum}`, input: value });
  });
  return list(item, maximum).check(some);
}

/** Strings by name; a value that looks like a number has to be quoted. */
export function strings(maximum: number, longest: number) {
  const own = converted(
    `a mapping of at most ${maximum} strings, none called __proto__`,
    (value) => {
      const copy = plainCopy(value);
      // Records leave that name out, which would drop the demand.
      const isWhole = copy !== undefined && !Object.hasOwn(copy, '__proto__');
      return isWhole && Object.keys(copy).length <= maximum ? copy : undefined;
    },
  );
  const value = line('a string (a number, true and false need quotes)', longest);
  return z.pipe(own, z.record(z.string(), value));
}

export const yes = converted('true, or no such key', (value) =>
  value === true ? value : undefined,
);

export const denial = converted(
  'true, or the reason in one line of 1 to 500 characters',
  (value) => (value === true || (isText(value, 500) && !/\p{Cc}/u.test(value)) ? value : undefined),
);

export const imagePattern = faultless(imagePatternFault);

export const subjectPattern = faultless((value) => {
  if (!isText(value, 2048) || /[\p{Cc}\s]/u.test(value)) {
    return 'a pattern of 1 to 2048 characters without spaces, such as *@team.example';
  }
  return hasTangledStars(value) ? '"*" between slashes, or "**" across them' : undefined;
});

/** PEM text, which is recognised by its first line, or the name of a file. */
export const keyText = converted(
  `a file's name, or a public key in PEM of at most ${MAX_MATERIAL} characters`,
  (value) => {
    if (!isText(value, MAX_MATERIAL)) return undefined;
    if (isPem(value)) return value;
    return value.length <= 4096 && !/\p{Cc}/u.test(value) ? value : undefined;
  },
);

/** Whether a key is inline, and not the name of a file. */
export function isPem(key: string): boolean {
  return key.trimStart().startsWith('-----BEGIN ');
}

/** Cosign's short names of predicate types, which differ from the types in attestations. */
const SHORT_NAMES: ReadonlyMap<unknown, string> = new Map([
  ['slsaprovenance', 'https://slsa.dev/provenance/v0.2'],
  ['slsaprovenance02', 'https://slsa.dev/provenance/v0.2'],
  ['slsaprovenance1', 'https://slsa.dev/provenance/v1'],
  ['link', 'https://in-toto.io/Link/v1'],
  ['spdx', 'https://spdx.dev/Document'],
  ['spdxjson', 'https://spdx.dev/Document'],
  ['cyclonedx', 'https://cyclonedx.org/bom'],
  ['vuln', 'https://cosign.sigstore.dev/attestation/vuln/v1'],
  ['openvex', 'https://openvex.dev/ns'],
  ['custom', 'https://cosign.sigstore.dev/attestation/v1'],
]);

export const predicateType = faultless((value) => {
  const known = SHORT_NAMES.get(value);
  if (known !== undefined) return `the type as attestations state it, ${known}`;
  return isText(value, 2048) && /^[a-z][a-z0-9+.-]*:\S+$/i.test(value)
    ? undefined
    : 'a predicate type, such as https://slsa.dev/provenance/v1';
});

export const mirrorUrl = faultless((value) => {
  const expected = 'the https URL of a TUF mirror (http for this machine alone), without user';
  if (!isText(value, 2048) || !URL.canParse(value)) return expected;
  const { protocol, hostname, username, password, search, hash } = new URL(value);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isLocal);
  return isSafe && username + password + search + hash === '' ? undefined : expected;
});
