import { describe, expect, it } from 'vitest';
import { AttestationError } from '../errors.ts';
import { openState } from './state.ts';
import { testState } from './testing/guest.ts';

function refusal(state: unknown): AttestationError {
  try {
    openState(state);
  } catch (error) {
    if (error instanceof AttestationError) return error;
  }
  throw new Error('the state was taken');
}

describe('openState', () => {
  it('opens a simulated state with a chip and three authorities', () => {
    const { chip, ark, ask, asvk, createdAt } = openState(testState());
    expect(chip.id).toHaveLength(64);
    expect(chip.secret).toHaveLength(32);
    expect(new Set([ark, ask, asvk].map(({ subjectKeyId }) => subjectKeyId)).size).toBe(3);
    expect(createdAt).toBe(Date.parse('2026-01-01T00:00:00Z'));
  });

  it('marks a simulated state as no hardware', () => {
    expect(testState().notice).toMatch(/^SIMULATED, NOT HARDWARE/);
  });

  it('refuses a malformed simulated state, and names the bad field', () => {
    const good = testState();
    for (const [bad, place] of [
      [undefined, '/'],
      [{ ...good, version: 2 }, '/version'],
      [{ ...good, format: 'else' }, '/format'],
      [{ ...good, notice: 'trust me' }, '/notice'],
      [{ ...good, chip: { ...good.chip, id: good.chip.id.slice(2) } }, '/chip/id'],
      [{ ...good, chip: { ...good.chip, secret: good.chip.secret.toUpperCase() } }, '/chip/secret'],
      [{ ...good, createdAt: 'yesterday' }, '/createdAt'],
      [{ ...good, more: 1 }, '/'],
    ] as const) {
      expect(refusal(bad)).toMatchObject({ code: 'simulated-state', remedy: expect.anything() });
      expect(refusal(bad).message).toMatch(new RegExp(`${place}[.]$`));
    }
  });

  it('refuses an authority whose key or certificate cannot be read', () => {
    const good = testState();
    for (const ark of [
      { ...good.ark, key: 'AAAA' },
      { ...good.ark, certificate: 'AAAA' },
    ]) {
      expect(refusal({ ...good, ark }).message).toMatch('the ARK has no readable key');
      expect(refusal({ ...good, ark }).code).toBe('simulated-state');
    }
  });

  it('refuses an authority with the key of another', () => {
    const good = testState();
    const asvk = { ...good.asvk, key: good.ask.key };
    expect(refusal({ ...good, asvk })).toMatchObject({ code: 'simulated-state' });
    expect(refusal({ ...good, asvk }).message).toMatch('the key of the ASVK is not that');
  });
});
