import { describe, expect, it } from 'vitest';
import { toHex } from '../../hex.ts';
import { guidBytes, guidText } from './guid.ts';

const TEXT = '96b582de-1fb2-45f7-baea-a366c55a082d';

describe('GUIDs', () => {
  it('encodes a GUID with three little-endian groups', () => {
    expect(toHex(guidBytes(TEXT))).toBe('de82b596b21ff745baeaa366c55a082d');
  });

  it('decodes a GUID back from its bytes', () => {
    expect(guidText(guidBytes(TEXT))).toBe(TEXT);
  });

  it.each(['', 'x', `${TEXT}00`, TEXT.replace('9', 'g')])('refuses the GUID %j', (text) => {
    expect(() => guidBytes(text)).toThrow(TypeError);
  });
});
