import { describe, expect, it } from 'vitest';
import { productOf, tcbClassOf } from './product.ts';

describe('productOf and tcbClassOf', () => {
  it.each([
    [0x19, 0x00, 'Milan', 'milan'],
    [0x19, 0x01, 'Milan', 'milan'],
    [0x19, 0x0f, 'Milan', 'milan'],
    [0x19, 0x10, 'Genoa', 'genoa'],
    [0x19, 0x11, 'Genoa', 'genoa'],
    [0x19, 0x1f, 'Genoa', 'genoa'],
    [0x19, 0xa0, 'Genoa', 'bergamo_siena'],
    [0x19, 0xaf, 'Genoa', 'bergamo_siena'],
    [0x1a, 0x00, 'Turin', 'turin'],
    [0x1a, 0x02, 'Turin', 'turin'],
    [0x1a, 0x11, 'Turin', 'turin'],
  ])(
    'derives from family %d, model %d the product %s and the TCB class %s',
    (family, model, product, tcbClass) => {
      expect(productOf({ family, model })).toBe(product);
      expect(tcbClassOf({ family, model })).toBe(tcbClass);
    },
  );

  it.each([
    [0x19, 0x20],
    [0x19, 0x9f],
    [0x19, 0xb0],
    [0x1a, 0x12],
    [0x1a, 0x50],
    [0x18, 0x01],
    [0x00, 0x00],
  ])('knows no product of family %d, model %d', (family, model) => {
    expect(productOf({ family, model })).toBeNull();
    expect(tcbClassOf({ family, model })).toBeNull();
  });
});
