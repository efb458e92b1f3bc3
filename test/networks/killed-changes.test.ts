import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { testKilledChanges } from './makers/killed-changes.ts';
import { Root } from './makers/root.ts';

describe.runIf(process.geteuid?.() === 0)('networks of root', () => {
  let root: Root;
  beforeAll(async () => {
    root = await Root.open();
    await root.start();
  });
  afterEach(async () => {
    await root.ask({ ask: 'closeTaps' });
    await root.ask({ ask: 'reconcile', kept: [] });
    expect(root.remains()).toEqual([]);
  });
  afterAll(() => root.close());

  testKilledChanges(() => root);
});
