import { expect, it } from 'vitest';
import { PolicyError } from './policy-error.ts';

it('lists each problem with its path in the message', () => {
  const invalid = new PolicyError('policy-invalid', [
    { path: 'crl.maxAgeDays', message: 'expected one thing, found another' },
    { path: '', message: 'expected a mapping, found nothing' },
  ]);
  expect(invalid.name).toBe('PolicyError');
  expect(invalid.message).toBe(
    'The policy is invalid: crl.maxAgeDays: expected one thing, found another; expected a mapping, found nothing',
  );
  const unreadable = new PolicyError('policy-unreadable', [
    { path: '', message: 'tags are not read', line: 3, column: 5 },
  ]);
  expect(unreadable.message).toBe('Cannot read the policy: line 3, column 5: tags are not read');
});
