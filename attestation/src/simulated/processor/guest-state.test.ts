import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../errors.ts';
import { toHex } from '../../hex.ts';
import { NOW, REPORT_DATA, testGuest, testProcessor, testState } from '../testing/guest.ts';
import { verifySimulated } from '../verifier/verify-simulated.ts';
import { ROOT_KEYS } from './derived-key.ts';
import type { SimulatedGuestState } from './guest-state.ts';
import { SimulatedSecureProcessor } from './processor.ts';

const KEY = {
  rootKeySelect: ROOT_KEYS.VMRK,
  guestFieldSelect: 0n,
  vmpl: 0,
  guestSvn: 0,
  tcbVersion: 0n,
};

/** A guest saved as JSON and read again. */
const kept = (): SimulatedGuestState => JSON.parse(JSON.stringify(testGuest().keep()));

function refusal(state: unknown): AttestationError {
  try {
    testProcessor().resume(state);
  } catch (error) {
    if (error instanceof AttestationError) return error;
    throw error;
  }
  throw new Error('the state was taken');
}

describe('a saved guest', () => {
  it('resumes a saved guest with the same reports and keys in another process', () => {
    const before = testGuest();
    const after = testProcessor().resume(JSON.parse(JSON.stringify(before.keep())));
    expect(after.measurement).toBe(before.measurement);
    expect(toHex(after.deriveKey(KEY))).toBe(toHex(before.deriveKey(KEY)));
    expect(after.keep()).toEqual(before.keep());
    const claims = (guest: typeof before) => {
      const { evidence } = guest.report({ reportData: REPORT_DATA });
      const verified = verifySimulated(evidence, testProcessor().roots(), { now: NOW });
      const { endorsement: _, ...rest } = verified.claims;
      return rest;
    };
    expect(claims(after)).toEqual(claims(before));
  });

  it('saves another identity and root key for another launch', () => {
    const [one, other] = [kept(), kept()];
    expect(one.reportId).not.toBe(other.reportId);
    expect(one.vmrk).not.toBe(other.vmrk);
  });

  it('marks a saved guest as unprotected', () => {
    expect(kept().notice).toMatch(/^SIMULATED, NOT HARDWARE/);
  });

  it('refuses a saved guest with a missing, unknown or malformed field, and names the field', () => {
    const good = kept();
    const { vmrk: _, ...without } = good;
    for (const [bad, place] of [
      [undefined, '/'],
      [{ ...good, version: 2 }, '/version'],
      [{ ...good, format: 'else' }, '/format'],
      [{ ...good, notice: 'safe' }, '/notice'],
      [{ ...good, more: 1 }, '/'],
      [without, '/vmrk'],
      [{ ...good, measurement: good.measurement.toUpperCase() }, '/measurement'],
      [{ ...good, guestSvn: 2 ** 32 }, '/guestSvn'],
      [{ ...good, policy: '0x00030000' }, '/policy'],
      [{ ...good, policy: 196608 }, '/policy'],
    ] as const) {
      expect(refusal(bad)).toMatchObject({ code: 'simulated-state', remedy: expect.anything() });
      expect(refusal(bad).message).toMatch(new RegExp(`${place}[.]$`));
    }
  });

  it('refuses to resume a saved guest on another chip', () => {
    const state = testState();
    const other = { ...state, chip: { ...state.chip, id: 'ab'.repeat(64) } };
    expect(() => new SimulatedSecureProcessor(other).resume(kept())).toThrow(
      expect.objectContaining({ code: 'simulated-state' }),
    );
  });

  it('refuses to resume a saved guest whose policy the platform does not meet', () => {
    expect(refusal({ ...kept(), policy: '0x10000' }).code).toBe('simulated-request');
  });

  it('resumes a saved guest exactly as it is, or refuses it', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const good = kept();
    const changed = fc.record({
      name: fc.constantFrom(...Object.keys(good)),
      value: fc.anything(),
    });
    const property = fc.property(changed, ({ name, value }) => {
      const state = { ...good, [name]: value };
      try {
        expect(testProcessor().resume(state).keep()).toEqual(state);
      } catch (error) {
        expect(error).toBeInstanceOf(AttestationError);
        expect(error).toMatchObject({ code: 'simulated-state' });
      }
    });
    await fuzz(property);
  });
});
