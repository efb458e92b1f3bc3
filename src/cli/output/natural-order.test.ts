import { expect, it } from 'vitest';
import { inNaturalOrder } from './natural-order.ts';

it('sorts names as Docker does', () => {
  const sorted = ['', '0', '00', '1', '9', '10', '010', 'B', 'a', 'a1', 'a2', 'a10', 'a10b', 'ab'];
  for (const [index, name] of sorted.entries()) {
    expect(inNaturalOrder(name, name)).toBe(0);
    for (const later of sorted.slice(index + 1)) {
      expect(inNaturalOrder(name, later), `${name} ${later}`).toBeLessThan(0);
      expect(inNaturalOrder(later, name), `${later} ${name}`).toBeGreaterThan(0);
    }
  }
});
