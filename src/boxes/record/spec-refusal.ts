/**
 * The refusal of a request by a rule of a box's launch spec, which the guest enforces as well.
 *
 * @module
 */
import { A3sError, type ErrorCode } from '../../errors.ts';
import type { Box } from './box.ts';

export interface SpecRule {
  /**
   * The field of the launch spec that decided; `confidential` for what no launch spec can permit.
   */
  readonly rule: 'hostMay' | 'hostNetworks' | 'hostNames' | 'sealing' | 'confidential';
  /** Values of the field of which any would do; none where there is no such value. */
  readonly needs: readonly string[];
}

export class SpecRefusal extends A3sError {
  readonly box: Pick<Box, 'definition' | 'name'>;
  readonly decided: SpecRule;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly box: Pick<Box, 'definition' | 'name'>;
      readonly decided: SpecRule;
      readonly remedy: string;
    },
  ) {
    super(code, message, { remedy: options.remedy });
    this.box = options.box;
    this.decided = options.decided;
  }
}
