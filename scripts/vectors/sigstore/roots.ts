/**
 * Trusted roots: the times of their authorities.
 *
 * @module
 */
import type { Authorities } from './make-authorities.ts';
import { type Case, CLOCK, changed, loggedV1, loggedV2 } from './signing.ts';

const START = '2020-01-01T00:00:00Z';
const SECOND = 1000;
const UNPROVEN = 'log-entry-unproven';

/** From the signature's time on, so many milliseconds. */
function time(milliseconds: number): string {
  return new Date(CLOCK.getTime() + milliseconds).toISOString();
}

const V1 = 'tlogs.0.publicKey.validFor';
const V2 = 'tlogs.1.publicKey.validFor';
const CA = 'certificateAuthorities.0.validFor';
const TSA = 'timestampAuthorities.0.validFor';
const CT = 'ctlogs.0.publicKey.validFor';

export const ROOTS: readonly Case[] = [
  ...missingStart('log', V2),
  ...missingStart('authority', CA),
  ...missingStart('timestamp-authority', TSA),
  ...missingStart('certificate-log', CT),
  [
    'root-log-end-garbled',
    'policy-invalid',
    'The time of the log ends at no time.',
    rekor2(V2, { start: START, end: 'never' }),
  ],
  [
    'log-end-inclusive',
    'signed',
    'The log ends with the second of its promise.',
    rekor1(V1, { start: START, end: time(0) }),
  ],
  [
    'log-ended',
    UNPROVEN,
    'The log ended a second before its promise.',
    rekor1(V1, { start: START, end: time(-SECOND) }),
  ],
  [
    'log-to-begin',
    UNPROVEN,
    'The log begins a second after its promise.',
    rekor1(V1, { start: time(SECOND) }),
  ],
  [
    'rekor2-log-end-inclusive',
    'signed',
    'The log ends with the second of the timestamp.',
    rekor2(V2, { start: START, end: time(0) }),
  ],
  [
    'rekor2-log-ended',
    UNPROVEN,
    'The log ended a second before the timestamp.',
    rekor2(V2, { start: START, end: time(-SECOND) }),
  ],
  [
    'rekor2-log-to-begin',
    UNPROVEN,
    'The log begins a second after the timestamp.',
    rekor2(V2, { start: time(SECOND) }),
  ],
  [
    'timestamp-authority-end-inclusive',
    'signed',
    'The timestamp authority ends with the second of its timestamp.',
    rekor2(TSA, { start: START, end: time(0) }),
  ],
  [
    'timestamp-authority-ended',
    'timestamp-invalid',
    'The timestamp authority ended before its timestamp.',
    rekor2(TSA, { start: START, end: time(-SECOND) }),
  ],
  [
    'authority-ended',
    'certificate-untrusted',
    'The authority ended before it was signed.',
    rekor1(CA, { start: START, end: time(-SECOND) }),
  ],
  [
    'authority-to-begin',
    'certificate-untrusted',
    'The authority begins after it was signed.',
    rekor1(CA, { start: time(SECOND) }),
  ],
  [
    'certificate-log-ended',
    'sct-invalid',
    'The certificate log ended before its SCT.',
    rekor1(CT, { start: START, end: time(-SECOND) }),
  ],
];

function missingStart(who: string, path: string): Case[] {
  return [
    [
      `root-${who}-without-start`,
      'policy-invalid',
      'The time of an authority has no start.',
      rekor2(path, {}),
    ],
    [
      `root-${who}-without-time`,
      'policy-invalid',
      'An authority has no time.',
      rekor2(path, undefined),
    ],
    [
      `root-${who}-start-garbled`,
      'policy-invalid',
      'The time of an authority starts at no time.',
      rekor2(path, { start: 'yesterday' }),
    ],
  ];
}

function rekor1(path: string, value: unknown): Case[3] {
  return async (all: Authorities) => ({
    parts: await loggedV1(all, false),
    root: (root) => changed(root, path, value),
  });
}

function rekor2(path: string, value: unknown): Case[3] {
  return async (all: Authorities) => ({
    parts: await loggedV2(all, false),
    root: (root) => changed(root, path, value),
  });
}
