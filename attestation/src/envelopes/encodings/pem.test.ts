import { readFile } from 'node:fs/promises';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../errors.ts';
import { decodePem, encodePem } from './pem.ts';

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
const DER = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x05);
const BLOCK = `${BEGIN}\nMAMCAQU=\n${END}\n`;
const VECTORS = new URL('../../../../test/vectors/amd/', import.meta.url);

function refusal(message: string): unknown {
  return expect.objectContaining({
    name: 'AttestationError',
    code: 'pem-malformed',
    message: expect.stringContaining(message),
  });
}

describe('PEM', () => {
  it('reads the DER of each PEM block in order', () => {
    expect(decodePem(BLOCK + encodePem('CERTIFICATE', Uint8Array.of(1)), 'CERTIFICATE')).toEqual([
      DER,
      Uint8Array.of(1),
    ]);
  });

  it('reads PEM from bytes', () => {
    expect(decodePem(new TextEncoder().encode(BLOCK), 'CERTIFICATE')).toEqual([DER]);
  });

  it('reads a revocation list from PEM', () => {
    expect(decodePem(encodePem('X509 CRL', DER), 'X509 CRL')).toEqual([DER]);
  });

  it.each([
    ['blank lines between blocks', `\n \t\n${BLOCK}\n\n${BLOCK}\n`, 2],
    ['CRLF', BLOCK.replaceAll('\n', '\r\n'), 1],
    ['no newline at the end', BLOCK.trimEnd(), 1],
    ['lines of other lengths', `${BEGIN}\nMAM\nCAQU=\n${END}`, 1],
    ['16 blocks', BLOCK.repeat(16), 16],
  ])('reads PEM with %s', (_, text, blocks) => {
    expect(decodePem(text, 'CERTIFICATE')).toEqual(Array(blocks).fill(DER));
  });

  it.each([
    ['nothing', '', `expected ${BEGIN}, found nothing`],
    ['blank lines alone', '\n\n', 'found nothing'],
    ['DER', '0\u0003\u0002\u0001\u0005', `expected ${BEGIN}`],
    ['another label', encodePem('X509 CRL', DER), 'found "-----BEGIN X509 CRL-----" at line 1'],
    ['another label at the end', `${BEGIN}\nMAMCAQU=\n-----END X509 CRL-----`, 'at line 3'],
    ['no end', `${BEGIN}\nMAMCAQU=\n`, 'expected base64'],
    ['no end and no newline', `${BEGIN}\nMAMCAQU=`, `expected ${END}, found the end of the text`],
    ['a beginning in a block', `${BEGIN}\n${BLOCK}`, 'at line 2'],
    ['an end alone', `${END}\n`, 'at line 1'],
    ['text between blocks', `${BLOCK}subject=CN\n${BLOCK}`, 'found "subject=CN" at line 4'],
    ['headers', `${BEGIN}\nProc-Type: 4,ENCRYPTED\n\nMAMCAQU=\n${END}`, 'at line 2'],
    ['a blank line in a block', `${BEGIN}\nMAMC\n\nAQU=\n${END}`, 'found "" at line 3'],
    ['a space behind a line', `${BEGIN} \nMAMCAQU=\n${END}`, 'at line 1'],
    ['a line of 77 characters', `${BEGIN}\n${'A'.repeat(77)}\n${END}`, 'at line 2'],
    ['the alphabet of URLs', `${BEGIN}\nMAM_\n${END}`, 'at line 2'],
    ['an empty block', `${BEGIN}\n${END}`, 'expected canonical base64'],
    ['no padding', `${BEGIN}\nMAMCAQU\n${END}`, 'expected canonical base64, found "MAMCAQU"'],
    ['too much padding', `${BEGIN}\nMAMCAQU==\n${END}`, 'canonical base64'],
    ['padding in the middle', `${BEGIN}\nMA==\nMAMC\n${END}`, 'canonical base64'],
    ['bits behind the last', `${BEGIN}\nMAMCAQV=\n${END}`, 'canonical base64'],
    ['17 blocks', BLOCK.repeat(17), 'expected at most 16 blocks, found more'],
    ['a byte order mark', `\ufeff${BLOCK}`, 'at line 1'],
    ['131073 characters', ' '.repeat(131_073), 'at most 131072 characters'],
  ])('refuses PEM with %s', (_, text, message) => {
    expect(() => decodePem(text, 'CERTIFICATE')).toThrow(AttestationError);
    expect(() => decodePem(text, 'CERTIFICATE')).toThrow(refusal(message));
    const bytes = new TextEncoder().encode(text);
    expect(() => decodePem(bytes, 'CERTIFICATE')).toThrow(refusal(message));
  });

  it('quotes only the beginning of a long line that is not PEM', () => {
    expect(() => decodePem('x'.repeat(1000), 'CERTIFICATE')).toThrow(
      refusal(`found "${'x'.repeat(80)}" at line 1`),
    );
  });

  it('refuses PEM whose bytes are not text', () => {
    const bytes = new TextEncoder().encode(BLOCK).with(30, 0xff);
    expect(() => decodePem(bytes, 'CERTIFICATE')).toThrow(refusal('at line 2'));
  });

  it('throws a TypeError for PEM that is neither text nor bytes', () => {
    expect(() => decodePem(5 as unknown as string, 'CERTIFICATE')).toThrow(TypeError);
  });

  it('writes PEM as other tools write it', async () => {
    const text = await readFile(new URL('milan_ark.pem', VECTORS), 'utf8');
    const [der = new Uint8Array()] = decodePem(text, 'CERTIFICATE');
    expect(der).toHaveLength(1639);
    expect(encodePem('CERTIFICATE', der)).toBe(text);
  });

  it('reads PEM back as it was written', { timeout: FUZZ_TIMEOUT }, async () => {
    await fuzz(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1 }), { minLength: 1, maxLength: 16 }),
        (ders) => {
          const text = ders.map((der) => encodePem('CERTIFICATE', der)).join('');
          expect(decodePem(text, 'CERTIFICATE')).toEqual(ders);
        },
      ),
    );
  });

  it('reads any text as PEM or refuses it', { timeout: FUZZ_TIMEOUT }, async () => {
    const piece = fc.oneof(
      fc.constantFrom(BEGIN, END, '\n', '\r\n', ' ', 'MAMCAQU=', '-----BEGIN X509 CRL-----', '='),
      fc.string({ maxLength: 8 }),
    );
    await fuzz(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          const text = pieces.join('');
          const ders = decodePem(text, 'CERTIFICATE');
          expect(ders.length).toBe(text.split(BEGIN).length - 1);
        } catch (error) {
          expect(error).toMatchObject({ name: 'AttestationError', code: 'pem-malformed' });
        }
      }),
    );
  });
});
