import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivedKey, MAX_ENVELOPE, MAX_SEALED, parseEnvelope, seal, unseal } from './envelope.ts';
import { SealingError } from './errors.ts';
import { encodeHeader, parseHeader, type SealedHeader } from './header.ts';

const KEY = new Uint8Array(32).fill(7);
const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const digest = bytes(48).filter((value) => value.some((byte) => byte !== 0));
const zero = fc.constant(new Uint8Array(48));

const common = {
  tee: fc.constantFrom('sev-snp' as const, 'simulated' as const),
  purpose: fc.stringMatching(/^[a-z0-9][a-z0-9._/-]{0,63}$/),
  guestSvn: fc.nat(0xffff_ffff),
  tcbVersion: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
  hostData: bytes(32),
  salt: bytes(32),
};
const headers: fc.Arbitrary<SealedHeader> = fc.oneof(
  fc.record({
    ...common,
    policy: fc.constant('exact' as const),
    measurement: digest,
    idKeyDigest: zero,
  }),
  fc.record({
    ...common,
    policy: fc.constant('upgradable' as const),
    measurement: zero,
    idKeyDigest: digest,
  }),
);

const HEADER: SealedHeader = {
  tee: 'sev-snp',
  policy: 'exact',
  purpose: 'p',
  guestSvn: 1,
  tcbVersion: 2n,
  measurement: new Uint8Array(48).fill(3),
  idKeyDigest: new Uint8Array(48),
  hostData: new Uint8Array(32),
  salt: new Uint8Array(32).fill(4),
};

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof SealingError) return error.code;
    throw error;
  }
}

describe('headers', () => {
  it('reads each header as it was written', { timeout: FUZZ_TIMEOUT }, () =>
    fuzz(
      fc.property(headers, (header) => {
        const encoded = encodeHeader(header);
        const given = new Uint8Array([...encoded, 1]);
        expect(parseHeader(given)).toEqual({ header, size: encoded.length });
      }),
    ),
  );

  it('reads bytes in only one encoding, and refuses the rest', { timeout: FUZZ_TIMEOUT }, () => {
    const good = encodeHeader(HEADER);
    const mutated = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) =>
        changes.reduce((made, [at, byte]) => made.fill(byte, at, at + 1), good.slice()),
      );
    return fuzz(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), (input) => {
        const refused = codeOf(() => parseHeader(input));
        if (refused !== undefined) {
          expect(['envelope-malformed', 'envelope-version']).toContain(refused);
          return;
        }
        const { header, size } = parseHeader(input);
        expect(encodeHeader(header)).toEqual(new Uint8Array(input.subarray(0, size)));
      }),
    );
  });

  it.each<[string, Partial<SealedHeader>, RegExp]>([
    ['a purpose with a space', { purpose: 'a b' }, /is no purpose/],
    ['no purpose', { purpose: '' }, /is no purpose/],
    ['a long purpose', { purpose: 'p'.repeat(65) }, /is no purpose/],
    ['an SVN of 33 bits', { guestSvn: 2 ** 32 }, /guestSvn must be/],
    ['half an SVN', { guestSvn: 0.5 }, /guestSvn must be/],
    ['a negative TCB', { tcbVersion: -1n }, /tcbVersion must be/],
    ['a short digest', { measurement: new Uint8Array(47).fill(1) }, /measurement must be 48/],
    ['no launch digest', { measurement: new Uint8Array(48) }, /binds nothing/],
    ['a digest too many', { idKeyDigest: new Uint8Array(48).fill(1) }, /does not bind/],
  ])('refuses to write a header with %s', (_, change, message) => {
    expect(() => encodeHeader({ ...HEADER, ...change })).toThrow(message);
  });
});

describe('envelopes', () => {
  it('opens what it sealed, and nothing after any bit was flipped', async () => {
    const value = new TextEncoder().encode('value');
    const envelope = await seal(value, HEADER, KEY);
    expect(await unseal(envelope, KEY)).toEqual(value);
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      const changed = envelope.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(unseal(changed, KEY), `bit ${bit}`).rejects.toBeInstanceOf(SealingError);
    }
  });

  it('opens no prefix of an envelope', async () => {
    const envelope = await seal(new Uint8Array([1, 2]), HEADER, KEY);
    for (let size = 0; size < envelope.length; size++) {
      await expect(unseal(envelope.subarray(0, size), KEY)).rejects.toBeInstanceOf(SealingError);
    }
  });

  it('seals any value up to the longest', async () => {
    const value = new Uint8Array(MAX_SEALED).fill(9);
    const envelope = await seal(value, { ...HEADER, purpose: 'p'.repeat(64) }, KEY);
    expect(envelope).toHaveLength(MAX_ENVELOPE);
    expect(await unseal(envelope, KEY)).toEqual(value);
    await expect(seal(new Uint8Array(MAX_SEALED + 1), HEADER, KEY)).rejects.toThrow(RangeError);
    const longer = new Uint8Array([...envelope, 0]);
    expect(codeOf(() => parseEnvelope(longer))).toBe('envelope-malformed');
  });

  it('derives other keys than those that envelopes are sealed with, by every bound value', async () => {
    const changes: readonly Partial<SealedHeader>[] = [
      {},
      { purpose: 'q' },
      { hostData: new Uint8Array(32).fill(1) },
      { measurement: new Uint8Array(48).fill(1) },
      { salt: new Uint8Array(32).fill(1) },
    ];
    const keys = await Promise.all(
      changes.map(async (change) =>
        Buffer.from(await derivedKey({ ...HEADER, ...change }, KEY)).toString('hex'),
      ),
    );
    expect(new Set(keys).size).toBe(changes.length);
  });

  it('refuses a key of a processor that has none', async () => {
    await expect(seal(new Uint8Array(), HEADER, new Uint8Array(32))).rejects.toThrow(TypeError);
    await expect(seal(new Uint8Array(), HEADER, new Uint8Array(31).fill(1))).rejects.toThrow(
      TypeError,
    );
  });

  it('reads a copy of the bytes that it is given', async () => {
    const envelope = await seal(new Uint8Array([1]), HEADER, KEY);
    const { headerBytes } = parseEnvelope(envelope);
    envelope.fill(0);
    expect(headerBytes[0]).toBe(0x41);
    expect(() => parseEnvelope('text' as unknown as Uint8Array)).toThrow(TypeError);
  });
});
