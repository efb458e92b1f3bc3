import { expect, it } from 'vitest';
import { allow, deny, signedOnly, testPolicy } from '../server/testing/signed-images.ts';
import { refusesFiles } from './policy.ts';

it.each([
  ['allows everything', [allow('**')], undefined],
  ['denies a few', [deny('registry.example/app'), allow('**')], undefined],
  ['demands signatures somewhere', [signedOnly('registry.example/**'), allow('**')], 'signatures'],
  ['allows a few', [allow('registry.example/**')], 'without a name'],
  ['denies the rest', [allow('registry.example/**'), deny('**')], 'without a name'],
  ['has no rules', [], 'without a name'],
])('says whether files may stand for images where a policy %s', (_, rules, reason) => {
  const refused = refusesFiles(testPolicy(rules));
  if (reason === undefined) expect(refused).toBeUndefined();
  else expect(refused).toContain(reason);
});
