import { describe, expect, it } from 'vitest';
import { PolicyError, parseApplicationPolicy } from './application-policy.ts';

const POLICY = {
  schema: 'a3s-box/application-policy/v1',
  application: 'shop',
  services: { api: 'api.yaml', 'web.1': 'other.yaml' },
};

describe('an application policy', () => {
  it('names the file of a policy for each service', () => {
    const { application, services } = parseApplicationPolicy(POLICY);
    expect(application).toBe('shop');
    expect([...services]).toEqual([
      ['api', 'api.yaml'],
      ['web.1', 'other.yaml'],
    ]);
  });

  it.each([
    [undefined],
    [[]],
    [{ ...POLICY, schema: undefined }],
    [{ ...POLICY, schema: 'a3s-box/application-policy/v2' }],
    [{ ...POLICY, more: 1 }],
    [{ ...POLICY, application: 'Shop' }],
    [{ ...POLICY, application: '' }],
    [{ ...POLICY, services: {} }],
    [{ ...POLICY, services: [] }],
    [{ ...POLICY, services: null }],
    [{ ...POLICY, services: { api: '../api.yaml' } }],
    [{ ...POLICY, services: { api: '/api.yaml' } }],
    [{ ...POLICY, services: { api: '..' } }],
    [{ ...POLICY, services: { api: '' } }],
    [{ ...POLICY, services: { api: 7 } }],
    [{ ...POLICY, services: { 'a/b': 'api.yaml' } }],
    [{ ...POLICY, services: { '': 'api.yaml' } }],
    [
      {
        ...POLICY,
        services: Object.fromEntries(
          Array.from({ length: 257 }, (_, at) => [`s${at}`, 'api.yaml']),
        ),
      },
    ],
  ])('a policy without exactly these parts is refused: %j', (policy) => {
    expect(() => parseApplicationPolicy(policy)).toThrow(PolicyError);
  });
});
