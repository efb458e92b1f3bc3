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
  it('tells the request that a certificate answers', () => {
    for (const request of [MILAN, GENOA, TURIN]) {
      expect(vcekOf(vcekDer(request))).toEqual(request);
    }
  });

  it('refuses a VLEK of any issuer', async () => {
    expect((await refusal(() => vcekOf(vlekDer('Milan')))).code).toBe('vek-kind');
    const error = await refusal(() => vcekOf(vlekDer('Milan', 'SEV-Milan')));
    expect(error.code).toBe('vek-kind');
    expect(error.found).toContain('chip none');
  });

  it('refuses a chip of another product than the issuer is of', async () => {
    const der = endorsementDer({ ...TURIN, hwid: TURIN.chipId, issuer: 'SEV-Milan' });
    expect((await refusal(() => vcekOf(der))).code).toBe('vek-kind');
  });

  it('refuses what is no certificate', async () => {
    expect((await refusal(() => vcekOf(new Uint8Array()))).code).toBe('vek-encoding');
  });
});

describe('checkVcek', () => {
  it('passes the certificate that was meant, and no other', async () => {
    expect(() => checkVcek(vcekDer(MILAN), MILAN)).not.toThrow();
    const error = await refusal(() => checkVcek(vcekDer(GENOA), MILAN));
    expect(error.code).toBe('vek-kind');
    expect(error.expected).toContain('Milan');
    expect(error.found).toContain('Genoa');
  });
});

describe('crlOf', () => {
  it('reads a list of the root of the product', () => {
    expect(crlOf(crlDer({ product: 'Turin', number: 7n }), 'Turin').number).toBe(7n);
  });

  it('refuses another root, and other bytes', async () => {
    expect((await refusal(() => crlOf(crlDer(), 'Turin'))).code).toBe('crl-issuer');
    expect((await refusal(() => crlOf(vcekDer(MILAN), 'Milan'))).code).toBe('crl-encoding');
  });
});
