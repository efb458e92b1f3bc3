import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../store/sqlite-store.ts';
import type { BrokerStore, StoredEntry } from '../store/store.ts';
import {
  AUDIT_KEY,
  openTestStore,
  type TestDirectory,
  testDirectory,
} from '../testing/fixtures.ts';
import { exportLog } from './audit-log.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { genesis, hashOf, nextEntry } from './entry.ts';
import { LogVerifier } from './verify-log.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await testDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

interface Exported {
  readonly entries: readonly StoredEntry[];
  readonly checkpoints: readonly Checkpoint[];
}

/** Writes entries, with a checkpoint after each third. */
async function written(count: number, action = 'test'): Promise<Exported> {
  await using open = await openTestStore(directory, 3);
  for (let n = 0; n < count; n += 1) {
    await open.store.transaction((transaction) =>
      open.audit.append(transaction, { actor: 'admin:test', action, details: { n } }),
    );
  }
  const lines: string[] = [];
  for await (const line of exportLog(open.store)) lines.push(line);
  const documents = lines.map((line) => JSON.parse(line));
  return {
    entries: documents.filter((each) => 'body' in each),
    checkpoints: documents.filter((each) => 'signature' in each),
  };
}

function verdict(
  entries: readonly StoredEntry[],
  checkpoints: readonly Checkpoint[],
  key = AUDIT_KEY,
) {
  const verifier = new LogVerifier(checkpoints, key);
  for (const entry of entries) verifier.add(entry);
  return verifier.end();
}

/** The log as somebody who has no key writes it anew from an entry on. */
function forkedAfter(entries: readonly StoredEntry[], seq: number): StoredEntry[] {
  const fork = entries.slice(0, seq);
  const { log } = JSON.parse(entries[0]?.body ?? '');
  while (fork.length < entries.length) {
    fork.push(nextEntry(log, fork.at(-1), { actor: 'admin:x', action: 'other' }, new Date(0)));
  }
  return fork;
}

describe('the audit log', () => {
  it('verifies a log that nobody changed, and says how much of it is signed', async () => {
    const { entries, checkpoints } = await written(8);
    expect(verdict(entries, checkpoints)).toEqual({ entries: 8, signed: 6 });
  });

  it('names the first entry that was edited', async () => {
    const { entries, checkpoints } = await written(8);
    const edited = entries.map((entry) =>
      entry.seq === 5
        ? { ...entry, body: entry.body.replace('admin:test', 'admin:nobody') }
        : entry,
    );
    expect(verdict(edited, checkpoints).problem).toEqual({
      seq: 5,
      reason: 'it was edited: its hash is another',
    });
  });

  it('names the first entry that is missing from the end of a log', async () => {
    const { entries, checkpoints } = await written(8);
    expect(verdict(entries.slice(0, 4), checkpoints).problem).toEqual({
      seq: 5,
      reason: 'the log ends after 4 entries, and a checkpoint covers 6',
    });
  });

  it('names the entry whose place another one takes', async () => {
    const { entries, checkpoints } = await written(8);
    const without = entries.filter(({ seq }) => seq !== 4);
    expect(verdict(without, checkpoints).problem).toMatchObject({ seq: 4 });
    const twice = [...entries.slice(0, 4), ...entries.slice(3)];
    expect(verdict(twice, checkpoints).problem).toMatchObject({ seq: 5 });
  });

  it('detects a log that was continued in another way by a checkpoint that was kept', async () => {
    const { entries, checkpoints } = await written(8);
    const fork = forkedAfter(entries, 4);
    expect(verdict(fork, []).problem).toBeUndefined();
    expect(verdict(fork, checkpoints).problem).toMatchObject({
      seq: 6,
      reason: expect.stringContaining('after entry 3'),
    });
  });

  it('refuses checkpoints that another key signed, and those of another log', async () => {
    const { entries, checkpoints } = await written(4);
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(verdict(entries, checkpoints, privateKey).problem).toMatchObject({ seq: 3 });
    const moved = checkpoints.map((each) => ({ ...each, hash: genesis('00') }));
    expect(verdict(entries, moved).problem).toMatchObject({ seq: 3 });
    expect(parseCheckpoint('{}')).toBeUndefined();
    expect(parseCheckpoint('no json')).toBeUndefined();
  });

  it('refuses an entry that is not in canonical form, and what is no entry', async () => {
    const { entries } = await written(2);
    const [first, second] = entries;
    if (first === undefined || second === undefined) throw new Error('two were written');
    const spaced = { ...second, body: `${second.body} ` };
    expect(verdict([first, spaced], []).problem).toEqual({ seq: 2, reason: 'it is no entry' });
  });

  it.each([
    ['edited', "UPDATE audit SET body = replace(body, 'admin:test', 'admin:x') WHERE seq = 5"],
    ['cut off before the last checkpoint', 'DELETE FROM audit WHERE seq > 2'],
    ['left without an entry', 'DELETE FROM audit WHERE seq = 4'],
    ['given another checkpoint', "UPDATE checkpoints SET text = replace(text, '2026', '2027')"],
  ])('does not open a log that was %s since its last checkpoint', async (_, sql) => {
    await written(5);
    const database = new Database(directory.database);
    database.exec(sql);
    database.close();
    await expect(openTestStore(directory)).rejects.toMatchObject({ code: 'audit-broken' });
  });

  it('does not open a log whose end was cut off with its checkpoints', async () => {
    await written(8);
    const database = new Database(directory.database);
    database.exec('DELETE FROM audit WHERE seq > 3; DELETE FROM checkpoints WHERE seq > 3');
    database.close();
    const head = `${directory.rootKey}.audit-head`;
    await expect(openTestStore(directory)).rejects.toMatchObject({
      code: 'audit-broken',
      message: `Cannot open the audit log: it ends after entry 3, and ${head} names entry 6`,
      remedy: expect.stringContaining('Put the newest store back'),
    });
    renameSync(head, `${head}.old`);
    await using open = await openTestStore(directory);
    const last = await open.store.transaction((transaction) => transaction.lastEntry());
    expect(JSON.parse(last?.body ?? '')).toMatchObject({ seq: 4, action: 'audit-head-missing' });
  });

  it('does not open an empty log or another log in place of its own', async () => {
    await written(4);
    rmSync(directory.database);
    await expect(openTestStore(directory)).rejects.toMatchObject({ code: 'audit-broken' });
  });

  it('opens a log that is further than the head file, as after a power cut', async () => {
    await written(4);
    const head = readFileSync(`${directory.rootKey}.audit-head`);
    await written(4);
    writeFileSync(`${directory.rootKey}.audit-head`, head);
    await using open = await openTestStore(directory);
    await open.audit.close();
    const { seq } = JSON.parse(readFileSync(`${directory.rootKey}.audit-head`, 'utf8'));
    expect(seq).toBe(8);
    expect(statSync(`${directory.rootKey}.audit-head`).mode & 0o777).toBe(0o600);
  });

  it('does not open a log that was replaced as a whole without the key', async () => {
    const { entries } = await written(8);
    const database = new Database(directory.database);
    database.exec('DELETE FROM checkpoints; DELETE FROM audit');
    const insert = database.prepare('INSERT INTO audit (seq, body, hash) VALUES (?, ?, ?)');
    for (const { seq, body, hash } of forkedAfter(entries, 0)) insert.run(seq, body, hash);
    database.close();
    await expect(openTestStore(directory)).rejects.toMatchObject({
      code: 'audit-broken',
      message:
        'Cannot open the audit log: entry 1 is bad: its authentication code is not of this key',
    });
  });

  it('does not open a log to which somebody without the key added an entry', async () => {
    const { entries } = await written(4);
    const { log } = JSON.parse(entries[0]?.body ?? '');
    const event = { actor: 'admin:x', action: 'other' };
    const { seq, body, hash } = nextEntry(log, entries.at(-1), event, new Date(0));
    const database = new Database(directory.database);
    const mac = database.prepare<[], { mac: string }>('SELECT mac FROM audit').all().at(-1)?.mac;
    database.prepare('INSERT INTO audit VALUES (?, ?, ?, ?)').run(seq, body, hash, mac);
    database.close();
    await expect(openTestStore(directory)).rejects.toMatchObject({ code: 'audit-broken' });
  });

  it.each([
    ['edited an entry', 5, 4],
    ['cut off what was signed', 8, 3],
    ['cut off what was signed, and some more', 8, 2],
  ])('signs nothing after somebody %s while it ran', async (what, count, kept) => {
    await using open = await openTestStore(directory, 3);
    const append = (store: BrokerStore, action: string) =>
      store.transaction((transaction) =>
        open.audit.append(transaction, { actor: 'admin:test', action }),
      );
    for (let n = 0; n < count; n += 1) await append(open.store, 'test');
    const entries = await open.store.transaction((transaction) => transaction.entries(1, 10));
    await open.audit.saved();
    await open.store.close();
    const database = new Database(directory.database);
    database.exec(`DELETE FROM audit WHERE seq > ${kept}; DELETE FROM checkpoints WHERE seq > 3`);
    if (what === 'edited an entry') {
      const last = forkedAfter(entries, kept)[kept];
      const edit = database.prepare('INSERT INTO audit VALUES (?, ?, ?, ?)');
      edit.run(last?.seq, last?.body, last?.hash, entries[kept]?.mac);
    }
    database.close();
    const changed = openSqliteStore(directory.database);
    const results = [];
    for (let n = 0; n < 4; n += 1) results.push(append(changed, 'afterwards'));
    const codes = (await Promise.allSettled(results)).flatMap((result) =>
      result.status === 'rejected' ? [result.reason.code] : [],
    );
    const signed = await changed.transaction((transaction) => transaction.lastCheckpoint());
    await changed.close();
    expect(codes).toContain('audit-broken');
    expect(signed?.seq).toBe(3);
  });

  it('undoes an entry with the transaction that it belongs to, and leaves no gap', async () => {
    await using open = await openTestStore(directory);
    const add = (fails: boolean) =>
      open.store.transaction(async (transaction) => {
        await open.audit.append(transaction, { actor: 'admin:test', action: 'test' });
        if (fails) throw new Error('undone');
      });
    const results = await Promise.allSettled([add(false), add(true), add(false)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const entries = await open.store.transaction((transaction) => transaction.entries(1, 10));
    expect(entries.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(verdict(entries, []).problem).toBeUndefined();
  });

  it('escapes characters of a guest that would change what a terminal shows', async () => {
    await using open = await openTestStore(directory);
    const object = 'a\u009b31m\u2028b\u202ec\u2066\u200f\u007f\u001b[2J/é/\u{1f600}';
    await open.store.transaction((transaction) =>
      open.audit.append(transaction, {
        ...{ actor: 'guest:x', action: 'test', object },
        details: { session: '\u0085'.repeat(512) },
      }),
    );
    const entries = await open.store.transaction((transaction) => transaction.entries(1, 10));
    expect(entries[0]?.body).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(JSON.parse(entries[0]?.body ?? '').object).toBe(
      'a\\u{9b}31m\\u{2028}b\\u{202e}c\\u{2066}\\u{200f}\\u{7f}\\u{1b}[2J/é/\u{1f600}',
    );
    expect(verdict(entries, []).problem).toBeUndefined();
  });

  it('keeps texts of any length and characters from making an entry that cannot be read', async () => {
    await using open = await openTestStore(directory);
    await open.store.transaction((transaction) =>
      open.audit.append(transaction, {
        actor: `guest:${'x'.repeat(5000)}`,
        action: 'test',
        object: '\ud800"\n\u0000',
      }),
    );
    const entries = await open.store.transaction((transaction) => transaction.entries(1, 10));
    expect(verdict(entries, [])).toEqual({ entries: 1, signed: 0 });
  });

  it('finds an entry for exactly its event, and none that this key did not write', async () => {
    await using open = await openTestStore(directory);
    const event = { actor: 'guest:x', action: 'test', object: 'a\u009b', details: { n: 1 } };
    await open.store.transaction(async (transaction) => {
      const seq = await open.audit.append(transaction, event);
      expect(await open.audit.has(transaction, seq, event)).toBe(true);
      expect(await open.audit.has(transaction, seq + 1, event)).toBe(false);
      expect(await open.audit.has(transaction, seq, { ...event, details: { n: 2 } })).toBe(false);
      const [entry] = await transaction.entries(seq, 1);
      if (entry === undefined) throw new Error('no entry');
      const body = entry.body.replace('"n":1', '"n":2');
      const changes = [
        { mac: '' },
        { mac: '0'.repeat(64) },
        // As an entry would be that somebody wrote without the key.
        { body, hash: hashOf(body) },
      ];
      for (const changed of changes) {
        const forged = Object.create(transaction, {
          entries: { value: async () => [{ ...entry, ...changed }] },
        });
        const searched = 'body' in changed ? { ...event, details: { n: 2 } } : event;
        expect(await open.audit.has(forged, seq, searched)).toBe(false);
      }
    });
  });
});
