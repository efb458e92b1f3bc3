/**
 * Checkpoints: their signers, the signers' names, and their content.
 *
 * @module
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { Authorities } from './make-authorities.ts';
import { type Case, entryV1, entryV2, loggedV2, signed } from './signing.ts';
import { lineOf, type TestLog } from './test-log.ts';

type Checkpoint = (note: string, line: string, all: Authorities) => string;

const UNPROVEN = 'log-entry-unproven';
const MALFORMED = 'log-entry-malformed';

export const CHECKPOINTS: readonly Case[] = [
  [
    'checkpoint-cosigned',
    'signed',
    'A witness has signed it, too.',
    checkpoint((note, line) => `${note}\n${line}${witness('w1')}`),
  ],
  [
    'checkpoint-witnesses',
    'signed',
    'Three witnesses have signed it.',
    checkpoint((note, line) => `${note}\n${line}${['w1', 'w2', 'w3'].map(witness).join('')}`),
  ],
  [
    'checkpoint-witness-first',
    'signed',
    'The witness stands before the log.',
    checkpoint((note, line) => `${note}\n${witness('w1')}${line}`),
  ],
  [
    'checkpoint-two-keys',
    'signed',
    "A second signature has the log's name, and is by a key that nobody knows.",
    checkpoint((note, line, all) => `${note}\n${line}${unknownKey(note, all.v2)}`),
  ],
  [
    'checkpoint-two-keys-cosigned',
    'signed',
    'A key that nobody knows and a witness have signed it, before the log.',
    checkpoint((note, line, all) => `${note}\n${unknownKey(note, all.v2)}${witness('w1')}${line}`),
  ],
  [
    'checkpoint-without-log',
    UNPROVEN,
    'A witness has signed it, and the log has not.',
    checkpoint((note) => `${note}\n${witness('w1')}`),
  ],
  ['checkpoint-unsigned', MALFORMED, 'Nobody has signed it.', checkpoint((note) => `${note}\n`)],
  [
    'checkpoint-signature',
    UNPROVEN,
    "The log's signature is of another checkpoint.",
    checkpoint((note, _, all) => `${note}\n${all.v2.line(`${note}more\n`)}`),
  ],
  [
    'checkpoint-hint',
    UNPROVEN,
    'The hint before the signature is that of another key.',
    checkpoint((note, line, all) => `${note}\n${hinted(line, all.v2.name)}`),
  ],
  [
    'checkpoint-other-log',
    UNPROVEN,
    'Another log has signed it, which is trusted too.',
    checkpoint((note, _, all) => `${note}\n${all.v1.line(note)}`),
  ],
  [
    'checkpoint-origin-missing',
    MALFORMED,
    'The first line is missing.',
    checkpoint((note, _, all) => signedNote(note.split('\n').slice(1).join('\n'), all)),
  ],
  [
    'checkpoint-size-missing',
    MALFORMED,
    'The size of the tree is missing.',
    checkpoint((note, _, all) => signedNote(without(note, 1), all)),
  ],
  [
    'checkpoint-root-missing',
    MALFORMED,
    'The root of the tree is missing.',
    checkpoint((note, _, all) => signedNote(without(note, 2), all)),
  ],
  [
    'checkpoint-root-other',
    MALFORMED,
    'It is of another tree of the same size.',
    checkpoint((note, _, all) =>
      signedNote(note.replace(/.{44}\n$/, `${Buffer.alloc(32, 7).toString('base64')}\n`), all),
    ),
  ],
  [
    'checkpoint-name-other',
    UNPROVEN,
    'The name is that of another host.',
    named('log2026.other.example'),
  ],
  [
    'checkpoint-name-parent',
    UNPROVEN,
    'The name is that of a domain above the host.',
    named('rekor.example'),
  ],
  ['checkpoint-name-part', UNPROVEN, 'The name is a part of the host.', named('log2026')],
  [
    'checkpoint-name-below',
    UNPROVEN,
    'The name has a path, and the log has none.',
    named('log2026.rekor.example/log'),
  ],
  [
    'checkpoint-name-pattern',
    UNPROVEN,
    'The name matches the host as a regular expression.',
    named('log2026.rekor.exampl.'),
  ],
  [
    'checkpoint-name-scheme',
    UNPROVEN,
    'The name has a scheme before the host.',
    named('https://log2026.rekor.example'),
  ],
  [
    'checkpoint-path',
    'signed',
    "The log's URL has a path, and so has its name.",
    longLog((all) => all.long384),
  ],
  [
    'checkpoint-path-missing',
    UNPROVEN,
    "The log's URL has a path, and its name has the host alone.",
    longLog((all) => all.long384, 'long.example'),
  ],
  [
    'log-384-proof',
    'signed',
    'The log has a key on P-384, and signs SHA-384.',
    longLog((all) => all.long384),
  ],
  [
    'log-521-proof',
    'signed',
    'The log has a key on P-521, and signs SHA-512.',
    longLog((all) => all.long521),
  ],
  [
    'log-384-promise',
    'signed',
    'A log with a key on P-384 has promised the entry.',
    promised((all) => all.long384),
  ],
  [
    'log-521-promise',
    'signed',
    'A log with a key on P-521 has promised the entry.',
    promised((all) => all.long521),
  ],
];

/** With an entry of Rekor v2, whose proof is all that there is. */
function checkpoint(make: Checkpoint): Case[3] {
  return async (all) => ({
    parts: await loggedV2(all, false, { checkpoint: (note, line) => make(note, line, all) }),
  });
}

function named(name: string): Case[3] {
  return checkpoint((note, _, all) => `${note}\n${all.v2.line(note, name)}`);
}

function longLog(log: (all: Authorities) => TestLog, name?: string): Case[3] {
  return async (all) => {
    const parts = await signed(all, false);
    const entry = entryV2(log(all), parts, {
      checkpoint: (note) => `${note}\n${log(all).line(note, name)}`,
    });
    const timestamps = [await all.main.stamp(parts.signature)];
    return { parts: { ...parts, entries: [entry], timestamps }, root: () => all.root('all') };
  };
}

function promised(log: (all: Authorities) => TestLog): Case[3] {
  return async (all) => {
    const parts = await signed(all, false);
    const entries = [entryV1(log(all), parts)];
    return { parts: { ...parts, entries }, root: () => all.root('all') };
  };
}

function signedNote(note: string, all: Authorities): string {
  return `${note}\n${all.v2.line(note)}`;
}

function without(note: string, index: number): string {
  return note.split('\n').toSpliced(index, 1).join('\n');
}

/**
 * A cosignature (github.com/C2SP/C2SP, `tlog-cosignature`): hint, time, and a signature that nobody
 * can verify.
 */
function witness(name: string): string {
  return lineOf(`witness.example/${name}`, randomBytes(4 + 8 + 64));
}

function unknownKey(note: string, log: TestLog): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signature = sign('sha256', Buffer.from(note), privateKey);
  return lineOf(log.name, Buffer.concat([randomBytes(4), signature]));
}

function hinted(line: string, name: string): string {
  const bytes = Buffer.from(line.trimEnd().split(' ').at(-1) ?? '', 'base64');
  return lineOf(name, Buffer.concat([Buffer.alloc(4), bytes.subarray(4)]));
}
