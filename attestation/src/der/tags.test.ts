import { describe, expect, it } from 'vitest';
import { contextConstructed, contextPrimitive, Tag, tagName } from './tags.ts';

describe('tags', () => {
  it('numbers context tags, primitive and constructed', () => {
    expect(contextPrimitive(6)).toBe(0x86);
    expect(contextConstructed(3)).toBe(0xa3);
  });

  it('names the tags of DER for people', () => {
    expect(tagName(Tag.OBJECT_IDENTIFIER)).toBe('OBJECT IDENTIFIER');
    expect(tagName(0x00)).toBe('tag 0x00');
    expect(tagName(0xa3)).toBe('tag 0xa3');
  });
});
