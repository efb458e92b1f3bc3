import { describe, expect, it } from 'vitest';
import * as endorsements from './index.ts';

describe('the entry', () => {
  it('exports what it promises, and nothing else', () => {
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
