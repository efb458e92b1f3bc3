import { describe, expect, it } from 'vitest';
import { checkVcek, crlOf, vcekOf } from './answers.ts';
import {
  crlDer,
  endorsementDer,
  GENOA,
  MILAN,
  TURIN,
  vcekDer,
  vlekDer,
} from './testing/certificates.ts';
import { refusal } from './testing/refusal.ts';

describe('vcekOf', () => {
  it('derives from a VCEK the request that it answers', () => {
    for (const request of [MILAN, GENOA, TURIN]) {
      expect(vcekOf(vcekDer(request))).toEqual(request);
    }
  });

  it('refuses a VLEK of any issuer as a VCEK', async () => {
    expect((await refusal(() => vcekOf(vlekDer('Milan')))).code).toBe('vek-kind');
    const error = await refusal(() => vcekOf(vlekDer('Milan', 'SEV-Milan')));
    expect(error.code).toBe('vek-kind');
    expect(error.found).toContain('chip none');
  });

  it('refuses a VCEK whose chip is of another product than its issuer', async () => {
    const der = endorsementDer({ ...TURIN, hwid: TURIN.chipId, issuer: 'SEV-Milan' });
    expect((await refusal(() => vcekOf(der))).code).toBe('vek-kind');
  });

  it('refuses bytes that are no certificate as a VCEK', async () => {
    expect((await refusal(() => vcekOf(new Uint8Array()))).code).toBe('vek-encoding');
  });
});

describe('checkVcek', () => {
  it('accepts the VCEK that was requested, and no other', async () => {
    expect(() => checkVcek(vcekDer(MILAN), MILAN)).not.toThrow();
    const error = await refusal(() => checkVcek(vcekDer(GENOA), MILAN));
    expect(error.code).toBe('vek-kind');
    expect(error.expected).toContain('Milan');
    expect(error.found).toContain('Genoa');
  });
});

describe('crlOf', () => {
  it('reads a revocation list that the root of the product issued', () => {
    expect(crlOf(crlDer({ product: 'Turin', number: 7n }), 'Turin').number).toBe(7n);
  });

  it('refuses a revocation list of another root, and bytes that are no list', async () => {
    expect((await refusal(() => crlOf(crlDer(), 'Turin'))).code).toBe('crl-issuer');
    expect((await refusal(() => crlOf(vcekDer(MILAN), 'Milan'))).code).toBe('crl-encoding');
  });
});
