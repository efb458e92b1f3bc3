import { describe, expect, it } from 'vitest';
import { hexBytes } from './hex-bytes.ts';

describe('hexadecimal of an issuer', () => {
  it('reads hexadecimal of whole octets only', () => {
    expect(hexBytes('0aFF')).toEqual(Uint8Array.of(0x0a, 0xff));
    expect(() => hexBytes('0')).toThrow(TypeError);
    expect(() => hexBytes('zz')).toThrow('"zz" is not hexadecimal');
  });
});
