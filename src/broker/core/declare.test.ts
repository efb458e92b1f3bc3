import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW, openTestStore, type TestDirectory, testDirectory } from '../testing/fixtures.ts';
import { policyDocument } from '../testing/test-broker.ts';
import { Administration } from './administration.ts';
import { type Declared, declare } from './declare.ts';

const SCOPE = { tenant: 'default', actor: 'admin:test' };
const GRANT = { path: 'default/db/*', policy: 'web' };
const DECLARED = {
  policies: new Map([['web', policyDocument()]]),
  grants: new Map([['db', GRANT]]),
};

let directory: TestDirectory;
beforeEach(async () => {
  directory = await testDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

/**
 * Starts with this configuration; returns what there is then, and the actions that were recorded.
 */
async function started(declared: Declared, put: Readonly<Record<string, unknown>> = {}) {
  await using opened = await openTestStore(directory);
  const { store } = opened;
  const parts = { ...opened, now: () => NOW };
  const administration = new Administration(parts);
  for (const [name, document] of Object.entries(put)) {
    await administration.putDocument(SCOPE, 'grant', name, document);
  }
  await declare(parts, new Map([['default', declared]]));
  const grants = await administration.documents('default', 'grant');
  const policies = await administration.documents('default', 'policy');
  const entries = await store.transaction((transaction) => transaction.entries(1, 100));
  return {
    names: [...policies, ...grants].map(({ name }) => name),
    grants,
    actions: entries.map(({ body }) => {
      const { actor, action, object } = JSON.parse(body);
      return `${actor} ${action} ${object}`;
    }),
  };
}

describe('what the configuration declares', () => {
  it('puts declared policies and grants at the first start, and nothing at the next', async () => {
    const first = await started(DECLARED);
    expect(first.names).toEqual(['web', 'db']);
    expect(first.actions).toEqual(['broker.yaml policy-put web', 'broker.yaml grant-put db']);
    expect((await started(DECLARED)).actions).toEqual(first.actions);
  });

  it('removes what is declared no more, and keeps what a command put', async () => {
    await started(DECLARED, { own: GRANT });
    const { names, actions } = await started({ policies: new Map(), grants: new Map() });
    expect(names).toEqual(['own']);
    expect(actions.slice(-2)).toEqual([
      'broker.yaml policy-removed web',
      'broker.yaml grant-removed db',
    ]);
  });

  it('replaces a declared grant that changed, and what a command put under its name', async () => {
    await started({ ...DECLARED, grants: new Map() }, { db: { path: 'a/b/c', policy: 'x' } });
    const { grants } = await started(DECLARED);
    expect(grants).toMatchObject([{ name: 'db', declared: true, document: GRANT, version: 2 }]);
    const changed = { ...GRANT, path: 'default/*/*' };
    const next = await started({ ...DECLARED, grants: new Map([['db', changed]]) });
    expect(next.grants).toMatchObject([{ document: changed, version: 3 }]);
  });
});
