/**
 * Checks the consistency of the parts of an image policy.
 *
 * @module
 */
import type * as z from 'zod/mini';
import { globCovers } from './glob.ts';

type Check<Value> = (payload: z.core.ParsePayload<Value>) => void;

function refuse<Value>(
  payload: z.core.ParsePayload<Value>,
  path: (string | number)[],
  message: string,
): void {
  payload.issues.push({ code: 'custom', path, message, input: payload.value });
}

function stated(value: Readonly<Record<string, unknown>>, keys: readonly string[]): number {
  return keys.filter((key) => value[key] !== undefined).length;
}

export const exactlyOne: Check<Readonly<Record<string, unknown>>> = (payload) => {
  if (stated(payload.value, ['require', 'deny', 'allowUnsigned']) !== 1) {
    refuse(payload, [], 'exactly one of require, deny and allowUnsigned');
  }
};

/** It widens that permission, and grants nothing by itself. */
export const confidentialWidens: Check<Readonly<Record<string, unknown>>> = (payload) => {
  const { allowUnsigned, allowUnsignedConfidential } = payload.value;
  if (allowUnsignedConfidential !== undefined && allowUnsigned === undefined) {
    refuse(payload, ['allowUnsignedConfidential'], 'allowUnsigned beside it');
  }
};

export const subjectOnce: Check<Readonly<Record<string, unknown>>> = (payload) => {
  if (stated(payload.value, ['subject', 'subjectPattern']) !== 1) {
    refuse(payload, [], 'either subject or subjectPattern');
  }
};

export const sourceOfRoot: Check<Readonly<Record<string, unknown>>> = (payload) => {
  const { value } = payload;
  const isOne = stated(value, ['file', 'inline', 'tuf']) === 1;
  if (!isOne || (value['tuf'] === undefined) !== (value['root'] === undefined)) {
    refuse(payload, [], 'one of file, inline, or tuf with the root.json to start from as root');
  }
};

interface Signers {
  readonly keys: readonly string[];
  readonly identities: readonly { readonly subjectPattern?: string | undefined }[];
  readonly threshold: number;
}

export const hasSigner: Check<Signers> = (payload) => {
  const { keys, identities } = payload.value;
  if (keys.length + identities.length === 0) refuse(payload, [], 'at least one key or identity');
};

/** A pattern stands for any number of subjects. */
export const reachableThreshold: Check<Signers> = (payload) => {
  const { keys, identities, threshold } = payload.value;
  const most = keys.length + distinct(identities);
  if (identities.some(({ subjectPattern }) => subjectPattern !== undefined)) return;
  if (most > 0 && threshold > most) {
    refuse(payload, ['threshold'], `at most ${most}, the number of different signers`);
  }
};

function distinct(values: readonly object[]): number {
  return new Set(values.map((value) => JSON.stringify(Object.entries(value).sort()))).size;
}

interface Asked {
  readonly annotations: Readonly<Record<string, string>>;
  readonly attestation?: object | undefined;
  readonly dockerReference: string;
}

/** An attestation has neither annotations nor a docker-reference: it could never satisfy them. */
export const signaturesAlone: Check<Asked> = (payload) => {
  const { annotations, attestation, dockerReference } = payload.value;
  if (attestation === undefined) return;
  if (Object.keys(annotations).length > 0) {
    refuse(payload, ['annotations'], 'no annotations beside attestation, which has none');
  }
  if (dockerReference !== 'ignore') {
    refuse(payload, ['dockerReference'], 'ignore beside attestation, which names no repository');
  }
};

interface Rules {
  readonly images: readonly {
    readonly pattern: string;
    readonly require?: readonly { readonly trustedRoot: string }[] | undefined;
  }[];
  readonly trustedRoots: Readonly<Record<string, unknown>>;
}

/**
 * Steps that comparing all patterns may take: about a second. Policies that people write take a
 * thousandth.
 */
const MAX_COMPARISON = 50_000_000;

/** The first match decides, so a pattern that an earlier one covers is never reached. */
export const noHiddenRule: Check<Rules> = (payload) => {
  const { images } = payload.value;
  const exact = new Map<string, number>();
  const wild: { readonly index: number; readonly pattern: string; readonly start: string }[] = [];
  let steps = 0;
  for (const [index, { pattern }] of images.entries()) {
    const same = exact.get(pattern);
    const candidates = wild.filter(({ start }) => pattern.startsWith(start));
    for (const earlier of candidates) steps += earlier.pattern.length * pattern.length;
    if (steps > MAX_COMPARISON) {
      return refuse(payload, ['images'], 'fewer or shorter patterns: these take long to compare');
    }
    const hiding = candidates.find((earlier) => globCovers(earlier.pattern, pattern));
    const path = ['images', index, 'pattern'];
    if (same !== undefined) {
      refuse(payload, path, `a pattern that no earlier rule has (images[${same}] has it)`);
    } else if (hiding !== undefined) {
      const by = `images[${hiding.index}] (${hiding.pattern})`;
      refuse(payload, path, `a rule that can be reached: ${by} matches all of it and comes first`);
    } else {
      exact.set(pattern, index);
      const [start = ''] = pattern.split('*');
      if (start !== pattern) wild.push({ index, pattern, start });
    }
  }
};

export const rootsThatExist: Check<Rules> = (payload) => {
  const { images, trustedRoots } = payload.value;
  for (const [index, rule] of images.entries()) {
    for (const [entry, { trustedRoot }] of (rule.require ?? []).entries()) {
      if (trustedRoot === 'public' || Object.hasOwn(trustedRoots, trustedRoot)) continue;
      const names = ['public', ...Object.keys(trustedRoots)].join(', ');
      refuse(
        payload,
        ['images', index, 'require', entry, 'trustedRoot'],
        `one of the trusted roots ${names}`,
      );
    }
  }
};
