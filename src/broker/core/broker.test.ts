import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEntry } from '../audit/entry.ts';
import { verifyEvidence } from '../release/evidence.ts';
import { NOW, openTestStore, type TestDirectory, testDirectory } from '../testing/fixtures.ts';
import { launchGuest, PROCESSOR, policyDocument } from '../testing/test-broker.ts';
import { Administration } from './administration.ts';
import { Broker } from './broker.ts';
import { declare } from './declare.ts';

const PATH = 'default/db/password';
const GUEST = { tenant: 'default', client: '192.0.2.7', session: 'abc' };
const SCOPE = { tenant: 'default', actor: 'admin:test' };
const REPORT_DATA = new Uint8Array(64).fill(3);

let directory: TestDirectory;
let time: number;
beforeEach(async () => {
  directory = await testDirectory();
  time = NOW.getTime();
});
afterEach(() => directory[Symbol.asyncDispose]());

async function open() {
  const { store, vault, audit, ...rest } = await openTestStore(directory);
  const parts = { store, vault, audit, now: () => new Date(time) };
  const entries = async (): Promise<AuditEntry[]> => {
    const stored = await store.transaction((transaction) => transaction.entries(1, 2000));
    return stored.map(({ body }) => JSON.parse(body));
  };
  const broker = new Broker(parts);
  return { ...rest, broker, administration: new Administration(parts), entries };
}

async function prove() {
  const { evidence } = launchGuest().report({ reportData: REPORT_DATA });
  // No endorsement is asked for: the evidence is of a simulation.
  const trust = { endorsements: undefined as never, simulated: { roots: PROCESSOR.roots() } };
  const verified = await verifyEvidence('a3s-simulated', evidence, trust, NOW);
  return { evidence: verified, reportData: REPORT_DATA };
}

async function prepare(): Promise<void> {
  await using opened = await open();
  const { administration } = opened;
  await administration.putDocument(SCOPE, 'policy', 'web', policyDocument());
  await administration.putDocument(SCOPE, 'grant', 'db', { path: 'default/db/*', policy: 'web' });
  await administration.putSecret(SCOPE, PATH, Buffer.from('hunter2'));
}

function tamper(sql: string): void {
  const database = new Database(directory.database);
  database.exec(sql);
  database.close();
}

describe('a release', () => {
  it('records the release before it returns the secret', async () => {
    await prepare();
    await using opened = await open();
    const { broker, entries } = opened;
    const released = await broker.release(GUEST, await prove(), PATH);
    expect(released).toMatchObject({ kind: 'released', version: 1 });
    expect((await entries()).at(-1)).toMatchObject({
      action: 'resource-released',
      actor: 'guest:192.0.2.7',
      object: PATH,
      details: { session: 'abc', grant: 'db', policy: 'web', version: 1 },
    });
  });

  const released = async (opened: Awaited<ReturnType<typeof open>>) =>
    (await opened.entries()).filter(({ action }) => action === 'resource-released');

  it('records a release once, however often a session asks for it, also after a restart', async () => {
    await prepare();
    const proof = await prove();
    for (let round = 0; round < 2; round += 1) {
      await using opened = await open();
      for (let again = 0; again < 2; again += 1) {
        const release = await opened.broker.release(GUEST, proof, PATH);
        expect(release).toMatchObject({ content: Buffer.from('hunter2') });
      }
      expect(await released(opened)).toHaveLength(1);
    }
  });

  it('records a release again for a new version, another session, another address or another grant', async () => {
    await prepare();
    await using opened = await open();
    const { administration, broker } = opened;
    const proof = await prove();
    const expectNext = async (count: number, guest = GUEST): Promise<void> => {
      for (let again = 0; again < 2; again += 1) await broker.release(guest, proof, PATH);
      expect(await released(opened)).toHaveLength(count);
    };
    await expectNext(1);
    await administration.putSecret(SCOPE, PATH, Buffer.from('hunter3'));
    await expectNext(2);
    await expectNext(3, { ...GUEST, session: 'def' });
    await expectNext(4, { ...GUEST, client: '192.0.2.8' });
    await administration.revoke(SCOPE, 'grant', 'db');
    await administration.putDocument(SCOPE, 'grant', 'other', { path: '*/*/*', policy: 'web' });
    await expectNext(5);
    await administration.revoke(SCOPE, 'grant', 'other');
    expect(await broker.release(GUEST, proof, PATH)).toEqual({ kind: 'denied' });
  });

  it.each<[string, (administration: Administration, content: string) => Promise<unknown>]>([
    [
      'the secret',
      (administration, content) => administration.putSecret(SCOPE, PATH, Buffer.from(content)),
    ],
    ['the volume key', (administration) => administration.createVolumeKey(SCOPE, PATH)],
  ])('records a release again where %s was removed and made anew', async (_, make) => {
    await prepare();
    await using opened = await open();
    const { administration, broker, entries } = opened;
    await administration.remove(SCOPE, 'secret', PATH);
    const proof = await prove();
    const contents: Buffer[] = [];
    for (const content of ['old', 'new']) {
      await make(administration, content);
      const release = await broker.release(GUEST, proof, PATH);
      if (release.kind !== 'released') throw new Error(release.kind);
      expect(release.version).toBe(1);
      contents.push(release.content);
      await administration.remove(SCOPE, release.record, PATH);
    }
    expect(contents[0]).not.toEqual(contents[1]);
    const found = (await entries()).filter(({ action }) => action.endsWith('-released'));
    expect(found).toHaveLength(2);
    expect(found[0]?.details?.['record']).not.toBe(found[1]?.details?.['record']);
  });

  it.each([
    ['names another entry', 'UPDATE releases SET seq = 1'],
    ['names no entry', 'UPDATE releases SET seq = 99'],
    ['is of another session', "UPDATE releases SET session = 'def'"],
  ])('records a release where the store %s', async (_, sql) => {
    await prepare();
    const proof = await prove();
    const release = async (session = 'abc') => {
      await using opened = await open();
      await opened.broker.release({ ...GUEST, session }, proof, PATH);
      return released(opened);
    };
    expect(await release()).toMatchObject([{ seq: 4 }]);
    tamper(sql);
    expect(await release(sql.includes('def') ? 'def' : 'abc')).toHaveLength(2);
  });

  it.each([
    ['the secret', "UPDATE records SET sealed = zeroblob(64) WHERE kind = 'secret'"],
    [
      'the grant, exchanged for a policy,',
      "UPDATE records SET sealed = (SELECT sealed FROM records WHERE kind = 'policy') WHERE kind = 'grant'",
    ],
  ])('releases nothing when %s was changed in the store, and records that', async (_, sql) => {
    await prepare();
    tamper(sql);
    await using opened = await open();
    const { broker, entries } = opened;
    const release = broker.release(GUEST, await prove(), PATH);
    await expect(release).rejects.toMatchObject({ code: 'record-broken' });
    expect((await entries()).at(-1)).toMatchObject({
      action: 'resource-refused',
      check: 'record-broken',
    });
  });
});

describe('a damaged policy', () => {
  beforeEach(async () => {
    await prepare();
    await using opened = await open();
    const { administration } = opened;
    await administration.putDocument(SCOPE, 'policy', 'aaa', policyDocument());
    await administration.putDocument(SCOPE, 'grant', 'aaa', { path: '*/*/*', policy: 'aaa' });
  });

  it('accepts nobody, and leaves the guests of other policies alone', async () => {
    tamper("UPDATE records SET sealed = zeroblob(64) WHERE kind = 'policy' AND name = 'aaa'");
    await using opened = await open();
    const { broker, entries } = opened;
    expect(await broker.admit(GUEST, await prove())).toBe(true);
    const released = await broker.release(GUEST, await prove(), PATH);
    expect(released).toMatchObject({ kind: 'released' });
    expect(await broker.release(GUEST, await prove(), 'a/b/c')).toEqual({ kind: 'denied' });
    expect((await entries()).at(-1)).toMatchObject({ check: 'policy aaa: record-broken' });
  });

  it('refuses an attestation where a grant is damaged, and records that', async () => {
    tamper("UPDATE records SET sealed = zeroblob(64) WHERE kind = 'grant' AND name = 'aaa'");
    await using opened = await open();
    const { broker, entries } = opened;
    const admitted = broker.admit(GUEST, await prove());
    await expect(admitted).rejects.toMatchObject({ code: 'record-broken' });
    expect((await entries()).at(-1)).toMatchObject({
      action: 'attestation-refused',
      check: 'record-broken',
    });
  });

  it('keeps no broker from starting', async () => {
    tamper("UPDATE records SET sealed = zeroblob(64) WHERE kind = 'policy' AND name = 'aaa'");
    await using opened = await open();
    const declared = { policies: new Map([['web2', policyDocument()]]), grants: new Map() };
    await declare(opened.broker.parts, new Map([['default', declared]]));
    expect((await opened.entries()).at(-1)).toMatchObject({ object: 'web2' });
  });
});

it('refuses a grant beyond those that a tenant may have, and replaces one of them', async () => {
  await using opened = await open();
  const { administration } = opened;
  const put = (name: string) =>
    administration.putDocument(SCOPE, 'grant', name, { path: 'a/b/c', policy: 'web' });
  for (let n = 0; n < 256; n += 1) await put(`g${n}`);
  await expect(put('more')).rejects.toMatchObject({ code: 'broker-quota' });
  expect(await put('g7')).toBe(2);
});

it('refuses a policy that is too long, and policies that are too long together', async () => {
  await using opened = await open();
  const { administration, entries } = opened;
  const measurements = (count: number) =>
    Array.from({ length: count }, (_, n) => n.toString(16).padStart(96, '0'));
  const put = (name: string, count: number) => {
    const { allowSimulated, attestation } = policyDocument();
    const longer = { ...attestation, measurements: measurements(count) };
    return administration.putDocument(SCOPE, 'policy', name, {
      allowSimulated,
      attestation: longer,
    });
  };
  await expect(put('long', 4000)).rejects.toMatchObject({ code: 'too-large' });
  for (let n = 0; n < 4; n += 1) await put(`p${n}`, 2500);
  await expect(put('more', 2500)).rejects.toMatchObject({ code: 'broker-quota' });
  expect(await entries()).toHaveLength(4);
  expect(await put('p1', 2500)).toBe(2);
});

it('refuses secrets beyond the number and the bytes of a tenant, and replaces one of them', async () => {
  await using opened = await open();
  const administration = new Administration(opened.broker.parts, { secrets: 2, secretBytes: 200 });
  const put = (name: string, bytes: number, scope = SCOPE) =>
    administration.putSecret(scope, `a/b/${name}`, Buffer.alloc(bytes, 1));
  await put('one', 50);
  await expect(put('two', 150)).rejects.toMatchObject({ code: 'broker-quota' });
  await put('two', 50);
  await expect(put('three', 1)).rejects.toMatchObject({ code: 'broker-quota' });
  expect(await put('one', 40)).toBe(2);
  expect(await put('three', 50, { ...SCOPE, tenant: 'other' })).toBe(1);
  expect((await administration.list('default', 'secret')).map(({ name }) => name)).toEqual([
    'a/b/one',
    'a/b/two',
  ]);
});

describe('refusals', () => {
  const EVENT = { action: 'resource-refused', refusal: 'kbs-session', check: 'session' };

  it('records a bounded number of refusals, and how many there were beyond it', async () => {
    await using opened = await open();
    const { broker, entries } = opened;
    for (let n = 0; n < 1000; n += 1) await broker.refuse(GUEST, EVENT);
    expect(await entries()).toHaveLength(64);
    time += 1000;
    await broker.refuse(GUEST, EVENT);
    const recorded = await entries();
    expect(recorded).toHaveLength(66);
    expect(recorded.at(-2)).toMatchObject({
      action: 'refusals-not-recorded',
      details: { count: 936 },
    });
  });

  it('records at the end how many refusals it only counted', async () => {
    await using opened = await open();
    const { broker, entries } = opened;
    for (let n = 0; n < 300; n += 1) await broker.refuse(GUEST, EVENT);
    await broker.flush();
    await broker.flush();
    const recorded = await entries();
    expect(recorded).toHaveLength(65);
    expect(recorded.at(-1)).toMatchObject({ details: { count: 236 } });
  });

  it('records refusals of other clients and of administrators while one client is refused', async () => {
    await using opened = await open();
    const { broker, entries } = opened;
    const other = { ...GUEST, client: '192.0.2.8' };
    for (let n = 0; n < 400; n += 1) await broker.refuse(GUEST, EVENT);
    await broker.refuse(other, EVENT);
    expect((await entries()).at(-1)).toMatchObject({ actor: 'guest:192.0.2.8' });
    for (let n = 0; n < 400; n += 1) await broker.refuse({ ...GUEST, client: `${n}` }, EVENT);
    await broker.recordRefusal({ actor: 'client:192.0.2.7', action: 'admin-refused' });
    expect((await entries()).at(-1)).toMatchObject({ actor: 'client:192.0.2.7' });
    // 64 of the first client and 192 of others, two counts, and that of the administrators' API.
    expect(await entries()).toHaveLength(259);
  });

  it('counts a refusal again that the store could not record', async () => {
    await using opened = await open();
    const { broker, entries } = opened;
    const { store } = broker.parts;
    const failing = vi.spyOn(store, 'transaction').mockRejectedValueOnce(new Error('full'));
    await expect(broker.refuse(GUEST, EVENT)).rejects.toThrow('full');
    failing.mockRestore();
    await broker.flush();
    expect(await entries()).toMatchObject([
      { action: 'refusals-not-recorded', details: { count: 1 } },
    ]);
  });
});
