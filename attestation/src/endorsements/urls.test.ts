import { describe, expect, it } from 'vitest';
import { GENOA, MILAN, TURIN } from './testing/certificates.ts';
import { certChainUrl, crlUrl, mirrorUrl, vcekUrl } from './urls.ts';

describe('vcekUrl', () => {
  it('builds a VCEK URL from the chip and the TCB of Milan and Genoa', () => {
    expect(vcekUrl(MILAN)).toBe(
      `https://kdsintf.amd.com/vcek/v1/Milan/${'3a'.repeat(64)}?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219`,
    );
    expect(vcekUrl(GENOA)).toBe(
      `https://kdsintf.amd.com/vcek/v1/Genoa/${'d2'.repeat(64)}?blSPL=10&teeSPL=00&snpSPL=25&ucodeSPL=84`,
    );
  });

  it('builds a VCEK URL for Turin from eight bytes of the chip id, with the FMC first', () => {
    const url =
      'https://kdsintf.amd.com/vcek/v1/Turin/3b42092f69c656d3?fmcSPL=01&blSPL=01&teeSPL=01&snpSPL=04&ucodeSPL=81';
    expect(vcekUrl(TURIN)).toBe(url);
    expect(vcekUrl({ ...TURIN, chipId: TURIN.chipId.padEnd(128, '0') })).toBe(url);
  });

  it('writes the chip id in lower case in a VCEK URL, under any base URL', () => {
    const url = vcekUrl({ ...MILAN, chipId: '3A'.repeat(64) }, 'https://mirror.example/kds');
    expect(url).toContain(`https://mirror.example/kds/vcek/v1/Milan/${'3a'.repeat(64)}?`);
  });
});

describe('certChainUrl and crlUrl', () => {
  it('builds the URLs of a certificate chain and a revocation list from kind and product', () => {
    expect(certChainUrl('VCEK', 'Turin')).toBe('https://kdsintf.amd.com/vcek/v1/Turin/cert_chain');
    expect(certChainUrl('VLEK', 'Milan')).toBe('https://kdsintf.amd.com/vlek/v1/Milan/cert_chain');
    expect(crlUrl('VCEK', 'Genoa')).toBe('https://kdsintf.amd.com/vcek/v1/Genoa/crl');
    expect(crlUrl('VLEK', 'Genoa', 'http://localhost:1')).toBe(
      'http://localhost:1/vlek/v1/Genoa/crl',
    );
  });
});

describe('mirrorUrl', () => {
  it('accepts a mirror URL with https, or with http on a loopback address', () => {
    expect(mirrorUrl('https://mirror.example/')).toBe('https://mirror.example');
    expect(mirrorUrl('https://mirror.example:8443/kds//')).toBe('https://mirror.example:8443/kds');
    expect(mirrorUrl('http://127.0.0.1:8080')).toBe('http://127.0.0.1:8080');
    expect(mirrorUrl('http://[::1]:8080')).toBe('http://[::1]:8080');
    expect(mirrorUrl('http://localhost')).toBe('http://localhost');
  });

  it.each([
    'http://mirror.example',
    'http://127.0.0.1.example',
    'https://user:secret@mirror.example',
    'https://mirror.example/?a=b',
    'https://mirror.example/#top',
    'file:///etc/passwd',
    'mirror.example',
    '',
  ])('refuses the mirror URL %j', (text) => {
    expect(() => mirrorUrl(text)).toThrow(RangeError);
  });
});
