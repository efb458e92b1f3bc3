/**
 * Vectors of sealing: envelopes, and what a guest answers that is given one.
 *
 * @module
 */
import {
  derivedKey,
  encodeHeader,
  keyRequestOf,
  parseEnvelope,
  referenceOf,
  requirePermitted,
  type SealedHeader,
  SealingError,
  type SealingGuest,
  seal,
  unseal,
} from '@a3s-box/sealing';

/** An envelope, the guest that is to open it, and its processor's key. */
export interface SealingVector {
  readonly name: string;
  readonly comment: string;
  readonly guest: SealingGuest;
  readonly processorKey: Uint8Array;
  readonly purpose: string;
  readonly envelope: Uint8Array;
  readonly expected: string;
}

const fill = (size: number, byte: number): Uint8Array => new Uint8Array(size).fill(byte);
const KEY = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
const PURPOSE = 'db/key';
const VALUE = new TextEncoder().encode('a database key');

const GUEST: SealingGuest = {
  tee: 'simulated',
  sealing: 'upgradable',
  hostData: fill(32, 0xa1),
  measurement: fill(48, 0xb2),
  idKeyDigest: fill(48, 0xc3),
  guestSvn: 5,
};
const EXACT: SealedHeader = {
  tee: 'simulated',
  policy: 'exact',
  purpose: PURPOSE,
  guestSvn: 5,
  tcbVersion: 0xdb19_0000_0000_0004n,
  measurement: GUEST.measurement,
  idKeyDigest: fill(48, 0),
  hostData: GUEST.hostData,
  salt: Uint8Array.from({ length: 32 }, (_, index) => 0xff - index),
};
const UPGRADABLE: SealedHeader = {
  ...EXACT,
  policy: 'upgradable',
  guestSvn: 4,
  measurement: fill(48, 0),
  idKeyDigest: GUEST.idKeyDigest,
};

interface Case {
  readonly header?: SealedHeader;
  readonly value?: Uint8Array;
  readonly guest?: Partial<SealingGuest>;
  readonly processorKey?: Uint8Array;
  readonly purpose?: string;
  /** What a hostile host makes of the envelope. */
  readonly change?: (envelope: Uint8Array) => Uint8Array;
}
type Row = readonly [name: string, expected: string, comment: string, given: Case];

const accepted = 'accepted';
const BASIC: readonly Row[] = [
  ['exact', accepted, 'By the guest that sealed it.', {}],
  ['empty', accepted, 'No bytes at all.', { value: new Uint8Array() }],
  ['upgradable', accepted, 'By a guest with a higher SVN.', { header: UPGRADABLE }],
  [
    'upgraded',
    accepted,
    'By a guest with another launch digest, under the same ID key.',
    { header: UPGRADABLE, guest: { measurement: fill(48, 0xee) } },
  ],
  [
    'hardware',
    accepted,
    'Of hardware.',
    { header: { ...EXACT, tee: 'sev-snp' }, guest: { tee: 'sev-snp' } },
  ],
  ['longest-purpose', accepted, 'A purpose of 64 characters.', longest()],
];

const MOVED: readonly Row[] = [
  ['other-spec', 'sealed-spec', 'Moved to a box with another launch spec.', spec(0xa2)],
  [
    'no-spec',
    'sealed-spec',
    'Without a launch spec, in a guest that has none either.',
    { header: { ...EXACT, hostData: fill(32, 0) }, ...spec(0) },
  ],
  [
    'other-measurement',
    'sealed-measurement',
    'Moved to another firmware, kernel or agent.',
    { guest: { measurement: fill(48, 0xb3) } },
  ],
  [
    'other-id-key',
    'sealed-id-key',
    'Moved to a guest under the ID key of somebody else.',
    { header: UPGRADABLE, guest: { idKeyDigest: fill(48, 0xc4) } },
  ],
  [
    'no-id-key',
    'sealed-id-key',
    'Moved to a guest without an ID block.',
    { header: UPGRADABLE, guest: { idKeyDigest: fill(48, 0) } },
  ],
  ['other-chip', 'seal-broken', 'Moved to another processor.', { processorKey: fill(32, 0x77) }],
  ['other-purpose', 'sealed-purpose', 'Opened for another purpose.', { purpose: 'tls/key' }],
  ['older-guest', 'sealed-svn', 'By a guest that was rolled back.', { guest: { guestSvn: 4 } }],
  [
    'simulated-by-hardware',
    'sealed-tee',
    'Sealed in a simulation, moved to hardware.',
    { guest: { tee: 'sev-snp' } },
  ],
  [
    'hardware-by-simulated',
    'sealed-tee',
    'Sealed by hardware, moved to a simulation.',
    { header: { ...EXACT, tee: 'sev-snp' } },
  ],
  [
    'policy-not-permitted',
    'sealing-policy',
    'The launch spec permits exact envelopes alone.',
    { header: UPGRADABLE, guest: { sealing: 'exact' } },
  ],
  [
    'sealing-not-permitted',
    'sealing-policy',
    'The launch spec permits none.',
    { guest: { sealing: 'none' } },
  ],
];

/** Where the fields of a header are, by docs/confidential/sealing.md. */
const CHANGED: readonly Row[] = [
  ['version', 'envelope-version', 'A later format.', set(9, 2)],
  ['key-version', 'envelope-version', 'A key that is made in another way.', set(11, 2)],
  ['magic', 'envelope-malformed', 'Something else.', set(0, 0x42)],
  ['tee-unknown', 'envelope-malformed', 'A processor that nobody knows.', set(12, 3)],
  ['policy-unknown', 'envelope-malformed', 'A policy that nobody knows.', set(13, 0)],
  [
    'downgraded-policy',
    'envelope-malformed',
    'Exact, said to be upgradable: the fields of the key are those of exact.',
    set(13, 2),
  ],
  [
    'downgraded-whole',
    'seal-broken',
    'Exact, with the whole header of an upgradable envelope.',
    { change: (envelope) => withHeader(envelope, UPGRADABLE) },
  ],
  ['fields-fewer', 'envelope-malformed', 'Fields of a key without TCB.', set(23, 0x1f)],
  ['svn-lowered', 'seal-broken', 'A lower SVN than it was sealed for.', set(27, 4)],
  ['tcb-lowered', 'seal-broken', 'A lower TCB than it was sealed for.', set(35, 0)],
  ['salt-changed', 'seal-broken', 'Another salt.', set(164, 0)],
  [
    'purpose-changed',
    'seal-broken',
    'Another purpose, which is asked for.',
    {
      ...set(196, 0x78),
      purpose: 'xb/key',
    },
  ],
  ['purpose-malformed', 'envelope-malformed', 'No purpose.', set(196, 0x20)],
  ['purpose-none', 'envelope-malformed', 'A purpose of no characters.', set(15, 0)],
  ['purpose-long', 'envelope-malformed', 'A purpose that reaches too far.', set(14, 1)],
  ['both-digests', 'envelope-malformed', 'Exact, with the digest of an ID key.', set(84, 1)],
  [
    'no-digest',
    'envelope-malformed',
    'Exact, and for every launch digest.',
    { change: (envelope) => new Uint8Array(envelope).fill(0, 36, 84) },
  ],
  [
    'swapped-header',
    'seal-broken',
    'With the header of another envelope of the same guest.',
    { change: (envelope) => withHeader(envelope, { ...EXACT, salt: fill(32, 9) }) },
  ],
  ['content-changed', 'seal-broken', 'A bit of the content.', flip(-17)],
  ['tag-changed', 'seal-broken', 'A bit of the tag.', flip(-1)],
  ['truncated', 'seal-broken', 'Without its last byte.', cut(-1)],
  ['truncated-tag', 'envelope-malformed', 'With a part of the tag alone.', cut(217)],
  ['header-alone', 'envelope-malformed', 'A header.', cut(202)],
  ['truncated-header', 'envelope-malformed', 'A part of the header.', cut(100)],
  ['no-bytes', 'envelope-malformed', 'Nothing.', cut(0)],
  [
    'trailing',
    'seal-broken',
    'A byte behind it.',
    { change: (envelope) => Buffer.concat([envelope, Uint8Array.of(0)]) },
  ],
];

export async function sealingVectors(): Promise<readonly SealingVector[]> {
  return Promise.all([...BASIC, ...MOVED, ...CHANGED].map(vectorOf));
}

async function vectorOf([name, expected, comment, given]: Row): Promise<SealingVector> {
  const { header = EXACT, value = VALUE, change = (envelope) => envelope } = given;
  return {
    name,
    comment,
    guest: { ...GUEST, ...given.guest },
    processorKey: given.processorKey ?? KEY,
    purpose: given.purpose ?? header.purpose,
    envelope: change(await seal(value, header, KEY)),
    expected,
  };
}

export async function sealingDocument(vector: SealingVector): Promise<object> {
  const { name, comment, guest, processorKey, purpose, envelope, expected } = vector;
  const given = {
    name,
    comment,
    guest: {
      ...guest,
      hostData: hex(guest.hostData),
      measurement: hex(guest.measurement),
      idKeyDigest: hex(guest.idKeyDigest),
    },
    processorKey: hex(processorKey),
    purpose,
    envelope: base64(envelope),
  };
  if (expected !== accepted) return { ...given, expected };
  const { header } = parseEnvelope(envelope);
  const { guestFieldSelect, guestSvn, tcbVersion } = keyRequestOf(header);
  return {
    ...given,
    expected: {
      request: { fields: Number(guestFieldSelect), guestSvn, tcb: `${tcbVersion}` },
      salt: hex(header.salt),
      value: base64(await unseal(envelope, processorKey)),
      derived: hex(await derivedKey(header, processorKey)),
      reference: base64(await referenceOf(header, processorKey)),
    },
  };
}

/** What is wrong with a vector, in a line each. */
export async function checkSealing(vector: SealingVector): Promise<string[]> {
  const { name, guest, processorKey, purpose, envelope, expected } = vector;
  let found = accepted;
  try {
    requirePermitted(parseEnvelope(envelope).header, guest, purpose);
    await unseal(envelope, processorKey);
  } catch (error) {
    if (!(error instanceof SealingError)) throw error;
    found = error.code;
  }
  return found === expected ? [] : [`sealing/${name}: expected ${expected}, found ${found}`];
}

function longest(): Case {
  return { header: { ...EXACT, purpose: 'p'.repeat(64) } };
}

function spec(byte: number): Case {
  return { guest: { hostData: fill(32, byte) } };
}

function set(at: number, byte: number): Case {
  return {
    change: (envelope) => {
      const copy = Uint8Array.from(envelope);
      copy[at] = byte;
      return copy;
    },
  };
}

function flip(at: number): Case {
  return {
    change: (envelope) => {
      const copy = Uint8Array.from(envelope);
      const index = envelope.length + at;
      copy[index] = (copy[index] ?? 0) ^ 1;
      return copy;
    },
  };
}

function cut(end: number): Case {
  return { change: (envelope) => envelope.slice(0, end) };
}

function withHeader(envelope: Uint8Array, header: SealedHeader): Uint8Array {
  return Buffer.concat([encodeHeader(header), parseEnvelope(envelope).content]);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
