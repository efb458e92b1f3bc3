import { generateKeyPairSync } from 'node:crypto';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../errors.ts';
import { toHex } from '../../hex.ts';
import { signIdBlock } from '../../measure/id-block/id-sign.ts';
import { measureOvmf } from '../../measure/measure.ts';
import { LAUNCH, testGuest } from '../testing/guest.ts';
import { type DerivedKeyRequest, GUEST_FIELDS, ROOT_KEYS } from './derived-key.ts';
import type { SimulatedGuest } from './guest.ts';
import type { SimulatedLaunch } from './launch-guest.ts';

const REQUEST: DerivedKeyRequest = {
  rootKeySelect: ROOT_KEYS.VCEK,
  guestFieldSelect: 0n,
  vmpl: 0,
  guestSvn: 0,
  tcbVersion: 0n,
};
/** bl 4, snp 25, ucode 219: what the Milan has committed. */
const COMMITTED = 0xdb19_0000_0000_0004n;
const ALL = Object.values(GUEST_FIELDS).reduce((all, bit) => all | bit);

const keyOf = (guest: SimulatedGuest, change: Partial<DerivedKeyRequest> = {}) =>
  toHex(guest.deriveKey({ ...REQUEST, ...change }));

function expectRefused(change: Partial<DerivedKeyRequest>, message: RegExp): void {
  expect(() => keyOf(testGuest(), change)).toThrow(
    expect.objectContaining({
      code: 'simulated-request',
      message: expect.stringMatching(new RegExp(`${message.source}.*status 0x16`)),
    }),
  );
}

/** A guest launched with an ID block of the given values. */
function identified(change: {
  guestSvn?: number;
  family?: number;
  image?: number;
  launch?: Partial<SimulatedLaunch>;
}): SimulatedGuest {
  const { guestSvn = 5, family = 1, image = 1, launch = {} } = change;
  const { inputs, policy = 0x30000n } = { ...LAUNCH, ...launch };
  const id = signIdBlock({
    idBlock: {
      launchDigest: Buffer.from(measureOvmf(inputs).digest, 'hex'),
      familyId: new Uint8Array(16).fill(family),
      imageId: new Uint8Array(16).fill(image),
      guestSvn,
      policy,
    },
    idKey: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey,
  });
  return testGuest({}, { ...launch, id });
}

describe('a derived key', () => {
  it('derives the same key for the same guest on the same processor, at every launch', () => {
    const change = { guestFieldSelect: ALL, tcbVersion: COMMITTED, launchMitVector: 0x3fn };
    expect(keyOf(testGuest(), change)).toBe(keyOf(testGuest(), change));
    expect(keyOf(testGuest(), change)).toMatch(/^(?!0{64})[0-9a-f]{64}$/);
  });

  it('derives a key from exactly the selected fields', () => {
    const base = identified({});
    const inputs = { ...LAUNCH.inputs, vcpus: 2 };
    const guests = {
      guestPolicy: identified({ launch: { policy: 0x130000n } }),
      imageId: identified({ image: 2 }),
      familyId: identified({ family: 2 }),
      measurement: identified({ launch: { inputs } }),
    };
    const requests = {
      guestSvn: { guestSvn: 4 },
      tcbVersion: { tcbVersion: COMMITTED - 1n },
      launchMitVector: { launchMitVector: 1n },
    };
    const full = { guestSvn: 5, tcbVersion: COMMITTED, launchMitVector: 0x3fn };
    for (const [selected, bit] of Object.entries(GUEST_FIELDS)) {
      const chosen = { ...full, guestFieldSelect: bit };
      const same = keyOf(base, chosen);
      for (const [name, guest] of Object.entries(guests)) {
        expect(keyOf(guest, chosen) === same, `${name} by ${selected}`).toBe(name !== selected);
      }
      for (const [name, change] of Object.entries(requests)) {
        const other = keyOf(base, { ...chosen, ...change });
        expect(other === same, `${name} by ${selected}`).toBe(name !== selected);
      }
    }
    const varied = Object.keys({ ...guests, ...requests }).sort();
    expect(varied).toEqual(Object.keys(GUEST_FIELDS).sort());
  });

  it('derives another key for another field selection, VMPL or root key', () => {
    const guest = testGuest();
    const keys = [
      {},
      { vmpl: 1 },
      { rootKeySelect: ROOT_KEYS.VMRK },
      { guestFieldSelect: GUEST_FIELDS.imageId },
      { guestFieldSelect: GUEST_FIELDS.familyId },
      { guestFieldSelect: GUEST_FIELDS.tcbVersion },
    ].map((change) => keyOf(guest, change));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('derives the same key for another HOST_DATA, as hardware does', () => {
    const other = testGuest({}, { hostData: new Uint8Array(32) });
    const change = { guestFieldSelect: ALL, launchMitVector: 0n };
    expect(keyOf(other, change)).toBe(keyOf(testGuest(), change));
  });

  it('derives another key from the VM root key at every launch', () => {
    const change = { rootKeySelect: ROOT_KEYS.VMRK };
    const guest = testGuest();
    expect(keyOf(guest, change)).toBe(keyOf(guest, change));
    expect(keyOf(testGuest(), change)).not.toBe(keyOf(guest, change));
  });

  it('derives another key on another processor model', () => {
    expect(keyOf(testGuest({ model: 'Genoa' }))).not.toBe(keyOf(testGuest()));
  });

  it('derives the key of older firmware from newer firmware, and not the reverse', () => {
    const old = testGuest({ misbehave: ['old-tcb'] });
    // bl 2, snp 6, ucode 115.
    const oldTcb = 0x7306_0000_0000_0002n;
    const change = { guestFieldSelect: GUEST_FIELDS.tcbVersion, tcbVersion: oldTcb };
    expect(keyOf(testGuest(), change)).toBe(keyOf(old, change));
    expect(() => keyOf(old, { ...change, tcbVersion: COMMITTED })).toThrow(
      'TCB_VERSION is above the committed TCB',
    );
  });

  it('derives another key after a firmware upgrade when the TCB is not selected', () => {
    expect(keyOf(testGuest({ misbehave: ['old-tcb'] }))).not.toBe(keyOf(testGuest()));
  });
});

describe('invalid requests for a derived key', () => {
  it('refuses to derive a key from a root key that does not exist', () => {
    for (const rootKeySelect of [2, 3, -1, 0.5]) {
      expectRefused({ rootKeySelect }, /ROOT_KEY_SELECT names no root key/);
    }
  });

  it('refuses to derive a key from fields that do not exist', () => {
    for (const guestFieldSelect of [1n << 7n, 1n << 63n]) {
      expectRefused({ guestFieldSelect }, /GUEST_FIELD_SELECT sets unknown bits/);
    }
    expectRefused({ guestFieldSelect: -1n }, /GUEST_FIELD_SELECT is out of range/);
  });

  it("refuses to derive a key for a VMPL that does not exist or exceeds the caller's privilege", () => {
    for (const vmpl of [4, -1, 1.5, 0xffff_ffff]) expectRefused({ vmpl }, /VMPL is out of range/);
    expectRefused({ vmpl: 0, callerVmpl: 1 }, /more privileged VMPL/);
    expectRefused({ vmpl: 3, callerVmpl: 4 }, /the VMPL of the caller is out of range/);
    expect(keyOf(testGuest(), { vmpl: 2, callerVmpl: 2 })).toBe(keyOf(testGuest(), { vmpl: 2 }));
  });

  it('refuses to derive a key for a guest SVN above that of the launch', () => {
    expectRefused({ guestSvn: 1 }, /GUEST_SVN is out of range/);
    expectRefused({ guestSvn: 0x1_0000_0000 }, /GUEST_SVN is out of range/);
    const guest = identified({ guestSvn: 5 });
    expect(keyOf(guest, { guestSvn: 5 })).toBe(keyOf(guest, { guestSvn: 0 }));
    expect(() => keyOf(guest, { guestSvn: 6 })).toThrow('GUEST_SVN is out of range');
  });

  it('refuses to derive a key for a TCB above the committed one in any component', () => {
    for (const byte of [0n, 1n, 6n, 7n]) {
      expectRefused(
        { tcbVersion: COMMITTED + (1n << (8n * byte)) },
        /TCB_VERSION is above the committed TCB/,
      );
    }
    expectRefused({ tcbVersion: 1n << 16n }, /TCB_VERSION sets reserved bytes/);
    expectRefused({ tcbVersion: 1n << 64n }, /TCB_VERSION is out of range/);
  });

  it('refuses to derive a key for mitigations that the launch did not have', () => {
    const { launchMitVector: bit } = GUEST_FIELDS;
    expectRefused({ guestFieldSelect: bit }, /LAUNCH_MIT_VECTOR is selected and not given/);
    expectRefused({ launchMitVector: 0x40n }, /LAUNCH_MIT_VECTOR has mitigations/);
    expectRefused({ launchMitVector: -1n }, /LAUNCH_MIT_VECTOR is out of range/);
    const older = testGuest({ reportVersion: 3 });
    expect(() => keyOf(older, { launchMitVector: 1n })).toThrow(
      'LAUNCH_MIT_VECTOR has mitigations',
    );
    expect(keyOf(older, { launchMitVector: 0n })).toHaveLength(64);
  });

  it('refuses to derive a key for numbers of another type', () => {
    const bad = (change: object) => expectRefused(change, /is out of range/);
    bad({ guestFieldSelect: 1 });
    bad({ tcbVersion: 1 });
    bad({ launchMitVector: 1 });
    bad({ guestSvn: 0n });
    bad({ vmpl: '0' });
  });

  it('derives a key for any request or refuses it with one error', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const guest = testGuest();
    const property = fc.property(
      fc.record({
        rootKeySelect: fc.integer({ min: -1, max: 3 }),
        guestFieldSelect: fc.bigInt({ min: -1n, max: 0x100n }),
        vmpl: fc.oneof(fc.integer({ min: -1, max: 5 }), fc.double()),
        guestSvn: fc.oneof(fc.constant(0), fc.double()),
        tcbVersion: fc.bigInt({ min: -1n, max: 1n << 65n }),
        launchMitVector: fc.bigInt({ min: -1n, max: 0x80n }),
      }),
      (request) => {
        try {
          expect(guest.deriveKey(request).some((byte) => byte !== 0)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(AttestationError);
          expect(error).toMatchObject({ code: 'simulated-request' });
        }
      },
    );
    await fuzz(property);
  });
});
