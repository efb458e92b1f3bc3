import { describe, expect, it } from 'vitest';
import { containerSecrets, isContainerSecrets } from './container-secrets.ts';

const POD = { containers: ['db', 'web'], secrets: ['pin', 'token'] };

function read(annotations: Readonly<Record<string, string>>) {
  return Object.fromEntries(containerSecrets(annotations, POD));
}

describe('containerSecrets', () => {
  it('gives each container the secrets that its annotation names, sorted, and none for an empty value', () => {
    expect(
      read({
        'dev.a3s.container-secrets.db': '',
        'dev.a3s.container-secrets.web': 'token,pin',
        'dev.a3s.secret.token': 'from=any',
      }),
    ).toEqual({ db: [], web: ['pin', 'token'] });
    expect(read({ 'dev.a3s.secrets-deadline': '60s' })).toEqual({});
  });

  it.each([
    ['cache', 'token', 'the pod has no container "cache"'],
    ['', 'token', 'the pod has no container ""'],
    ['DB', 'token', 'the pod has no container "DB"'],
    ['db', 'other', 'the pod has no secret "other"'],
    ['db', 'Token', 'the pod has no secret "Token"'],
    ['db', 'token, pin', 'the pod has no secret " pin"'],
    ['db', 'token,', 'the pod has no secret ""'],
    ['db', ' ', 'the pod has no secret " "'],
    ['db', '../token', 'the pod has no secret "../token"'],
    ['db', 'pin,token,pin', '"pin" is there twice'],
  ])(
    'refuses the annotation of the container %j with the value %j: %s',
    (container, value, why) => {
      const annotation = `dev.a3s.container-secrets.${container}`;
      expect(() => read({ [annotation]: value })).toThrow(
        `the annotation ${annotation} cannot be used: ${why}`,
      );
    },
  );

  it('takes no other annotation for one of these, however similar', () => {
    for (const name of [
      'dev.a3s.container-secrets',
      'Dev.a3s.container-secrets.db',
      'dev.a3s.secret.db',
    ]) {
      expect(isContainerSecrets(name)).toBe(false);
    }
  });
});
