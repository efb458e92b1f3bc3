import { describe, expect, it } from 'vitest';
import * as endorsements from './index.ts';

describe('the entry', () => {
  it('exports exactly the documented names from the endorsements entry', () => {
    expect(Object.keys(endorsements).sort()).toEqual([
      'BUNDLE_FORMAT',
      'EndorsementStore',
      'Endorsements',
      'KDS_LIMITS',
      'KDS_URL',
      'KdsClient',
      'MAX_CRL_AGE',
      'certChainUrl',
      'crlUrl',
      'exportStore',
      'httpsFetch',
      'importStore',
      'importTrusteeStore',
      'vcekUrl',
    ]);
  });
});
