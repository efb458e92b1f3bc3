import { expect, it } from 'vitest';
import * as sealing from './index.ts';

it('exports exactly the documented names from the sealing entry', () => {
  expect(Object.keys(sealing).sort()).toEqual([
    'ENVELOPE_VERSION',
    'GUEST_FIELDS',
    'KEY_VERSION',
    'MAX_ENVELOPE',
    'MAX_PURPOSE',
    'MAX_SEALED',
    'POLICY_FIELDS',
    'SEALING_CODES',
    'SealingError',
    'derivedKey',
    'encodeHeader',
    'isPurpose',
    'keyRequestOf',
    'parseEnvelope',
    'parseHeader',
    'permitsPolicy',
    'referenceOf',
    'requirePermitted',
    'seal',
    'unseal',
  ]);
});
