import { describe, expect, it } from 'vitest';
import { codeOf } from '../../testing/code-of.ts';
import type { VerifyOptions } from '../../verify/options.ts';
import type { SimulatedModelName } from '../processor/models.ts';
import { LAUNCH, NOW, REPORT_DATA, testProcessor } from '../testing/guest.ts';
import { verifySimulated } from './verify-simulated.ts';

describe('a certificate that names another product than the report', () => {
  function verified(model: SimulatedModelName, options: Partial<VerifyOptions>) {
    const processor = testProcessor({ model, misbehave: ['wrong-product-name'] });
    const { evidence } = processor.launch(LAUNCH).report({ reportData: REPORT_DATA });
    return verifySimulated(evidence, processor.roots(), { now: NOW, ...options });
  }

  it.each(['Milan', 'Genoa', 'Turin'] as const)(
    'refuses a simulated certificate of another product than the report: %s',
    (model) => {
      expect(codeOf(() => verified(model, {}))).toBe('vek-product');
      expect(codeOf(() => verified(model, { allowProductNameMismatch: false }))).toBe(
        'vek-product',
      );
    },
  );

  it.each(['Milan', 'Genoa', 'Turin'] as const)(
    'accepts a certificate of another product where the caller allows the mismatch: %s',
    (model) => {
      const { claims } = verified(model, { allowProductNameMismatch: true });
      expect(claims.product).toBe(model);
      expect(claims.endorsement.productName).not.toContain(model);
    },
  );
});
