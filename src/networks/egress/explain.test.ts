import { expect, it } from 'vitest';
import { explain } from './explain.ts';

it('says that a rule for a name opens no DNS server', () => {
  const policy = { of: 'box', default: 'deny', rules: ['allow:a.example'] } as const;
  const asked = (port: number) =>
    explain(
      [{ ...policy, rules: [...policy.rules] }],
      { name: 'a.example', protocol: 'tcp', port },
      [],
    );
  expect(asked(443)).toMatchObject({ allowed: true, rule: 'allow:a.example:tcp' });
  expect(asked(853)).toMatchObject({
    allowed: false,
    rule: expect.stringContaining('DNS server'),
  });
});
