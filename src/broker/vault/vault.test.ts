import {
  chmodSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRootKeyFile, openRootKeyFile } from '../keys/file-root-keys.ts';
import {
  openTestStore,
  SECRET,
  type TestDirectory,
  type TestStore,
  testDirectory,
} from '../testing/fixtures.ts';
import { Rotation } from './rotation.ts';
import { Vault } from './vault.ts';

const AT = { changedAt: 1 };
const NEVER = new AbortController().signal;

let directory: TestDirectory;
beforeEach(async () => {
  directory = await testDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

async function put(content: string, ...names: readonly string[]): Promise<void> {
  await using open = await openTestStore(directory);
  for (const name of names.length === 0 ? [SECRET.name] : names) {
    await open.store.transaction((transaction) =>
      open.vault.put(transaction, { ...SECRET, name }, Buffer.from(content), AT),
    );
  }
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `default/key/${n}`);

async function get(name: string = SECRET.name): Promise<string | undefined> {
  await using open = await openTestStore(directory);
  const found = await open.store.transaction((transaction) =>
    open.vault.get(transaction, { ...SECRET, name }),
  );
  return found?.content.toString();
}

/** Somebody writes into the file of a stopped broker. */
function tamper(sql: string, ...values: readonly (string | number)[]): void {
  const database = new Database(directory.database);
  database.prepare(sql).run(...values);
  database.close();
}

function epochs(): number[] {
  const { epochs } = JSON.parse(readFileSync(directory.rootKey, 'utf8'));
  return epochs.map(({ epoch }: { epoch: number }) => epoch);
}

async function rotate(): Promise<void> {
  await using open = await openTestStore(directory);
  const rotation = new Rotation(open.store, open.vault, open.keys, open.audit);
  await rotation.begin('admin:test');
  await rotation.complete(NEVER);
}

const storedEpoch = ({ store, vault }: TestStore): Promise<number> =>
  store.transaction((transaction) => vault.storedEpoch(transaction));

const refusal = (code: string) => expect.objectContaining({ code });

describe('the records of the broker', () => {
  it('reads back the newest version of a secret, after the store was closed too', async () => {
    await put('first');
    await put('second');
    expect(await get()).toBe('second');
    expect(await get('default/key/other')).toBeUndefined();
  });

  it('keeps no secret in clear in the files of a store', async () => {
    await put('hunter2-hunter2');
    for (const file of [directory.database, `${directory.database}-wal`]) {
      expect(readFileSync(file, { flag: 'a+' }).includes('hunter2')).toBe(false);
    }
  });

  it('opens no copied store without its root key, nor with another one', async () => {
    await put('hunter2');
    const other = join(directory.path, 'other.key');
    await createRootKeyFile(other);
    copyFileSync(other, directory.rootKey);
    await expect(get()).rejects.toEqual(refusal('root-key'));
    writeFileSync(directory.rootKey, '{}');
    await expect(get()).rejects.toEqual(refusal('root-key'));
  });

  it('refuses a record that was moved to another name, version or tenant in the store', async () => {
    await put('hunter2');
    tamper('UPDATE records SET name = ?', 'default/key/two');
    await expect(get('default/key/two')).rejects.toEqual(refusal('record-broken'));
    tamper('UPDATE records SET name = ?, version = 9', SECRET.name);
    await expect(get()).rejects.toEqual(refusal('record-broken'));
    tamper('UPDATE records SET version = 1');
    expect(await get()).toBe('hunter2');
    tamper("UPDATE records SET sealed = CAST(sealed || x'00' AS BLOB)");
    await expect(get()).rejects.toEqual(refusal('record-broken'));
  });

  it('refuses a record of another store under the same root key', async () => {
    await put('theirs');
    const copy = join(directory.path, 'copy.db');
    renameSync(directory.database, copy);
    rmSync(`${directory.rootKey}.audit-head`, { force: true });
    await put('ours');
    const database = new Database(directory.database);
    database.prepare('ATTACH ? AS other').run(copy);
    database.exec('INSERT OR REPLACE INTO records SELECT * FROM other.records');
    database.close();
    await expect(get()).rejects.toEqual(refusal('record-broken'));
  });
});

describe('the file of a root key', () => {
  it('refuses a root key that others may read, and one that is a link', async () => {
    chmodSync(directory.rootKey, 0o640);
    await expect(openRootKeyFile(directory.rootKey)).rejects.toMatchObject({
      code: 'root-key',
      message: expect.stringContaining('0640'),
    });
    chmodSync(directory.rootKey, 0o600);
    const link = join(directory.path, 'link.key');
    symlinkSync(directory.rootKey, link);
    await expect(openRootKeyFile(link)).rejects.toEqual(refusal('root-key'));
  });

  it('never replaces a root key by a new one', async () => {
    const before = readFileSync(directory.rootKey, 'utf8');
    await expect(createRootKeyFile(directory.rootKey)).rejects.toEqual(refusal('broker-conflict'));
    expect(readFileSync(directory.rootKey, 'utf8')).toBe(before);
  });
});

describe('a rotation of the root key', () => {
  it('wraps every record again, and removes the older epoch', async () => {
    await put('kept', ...numbered(100));
    await rotate();
    expect(epochs()).toEqual([2]);
    expect(await get('default/key/99')).toBe('kept');
    expect(await get('default/key/0')).toBe('kept');
  });

  it('goes on where a broker was killed before the store knew of the new epoch', async () => {
    await put('kept');
    const keys = await openRootKeyFile(directory.rootKey);
    await keys.add();
    expect(epochs()).toEqual([1, 2]);
    await using open = await openTestStore(directory);
    expect(await storedEpoch(open)).toBe(2);
    const rotation = new Rotation(open.store, open.vault, open.keys, open.audit);
    await rotation.complete(NEVER);
    expect(epochs()).toEqual([2]);
  });

  it('keeps the epoch that the store needs when the transaction of a rotation fails', async () => {
    await put('kept');
    {
      await using open = await openTestStore(directory);
      const broken = new Error('no space is left');
      const audit = Object.create(open.audit, { append: { value: () => Promise.reject(broken) } });
      const failing = new Rotation(open.store, open.vault, open.keys, audit);
      await expect(failing.begin('admin:test')).rejects.toBe(broken);
      expect(await storedEpoch(open)).toBe(1);
      await new Rotation(open.store, open.vault, open.keys, open.audit).complete(NEVER);
      expect(epochs()).toEqual([1, 2]);
    }
    expect(await get()).toBe('kept');
    await rotate();
    expect(epochs()).toEqual([3]);
    expect(await get()).toBe('kept');
  });

  it('goes on where a broker was killed between two batches, and records the end once', async () => {
    await put('kept', ...numbered(10));
    {
      await using open = await openTestStore(directory);
      const rotation = new Rotation(open.store, open.vault, open.keys, open.audit);
      await rotation.begin('admin:test');
      await open.store.transaction((transaction) => open.vault.rewrap(transaction, 3));
    }
    for (let start = 0; start < 2; start += 1) {
      await using open = await openTestStore(directory);
      await new Rotation(open.store, open.vault, open.keys, open.audit).complete(NEVER);
    }
    expect(await get('default/key/7')).toBe('kept');
    await using open = await openTestStore(directory);
    const entries = await open.store.transaction((transaction) => transaction.entries(1, 100));
    const actions = entries.map(({ body }) => JSON.parse(body).action);
    expect(actions).toEqual(['root-key-rotated', 'root-key-rewrapped']);
  });

  it('refuses an older copy of the root key, which lacks the epoch that the store needs', async () => {
    await put('kept');
    const old = join(directory.path, 'old.key');
    copyFileSync(directory.rootKey, old);
    await rotate();
    copyFileSync(old, directory.rootKey);
    await expect(get()).rejects.toEqual(refusal('root-key'));
  });
});

describe('a second broker of the same store', () => {
  const elsewhere = () => join(directory.path, 'second.key');

  async function openBoth(path: string) {
    const open = await openTestStore(directory);
    const keys = await openRootKeyFile(path);
    const vault = await Vault.open(open.store, keys);
    const rotation = new Rotation(open.store, open.vault, open.keys, open.audit);
    const second = new Rotation(open.store, vault, keys, open.audit);
    const write = (content: string) =>
      open.store.transaction((transaction) =>
        vault.put(transaction, SECRET, Buffer.from(content), AT),
      );
    const read = (by: Vault) =>
      open.store.transaction(async (transaction) => {
        return (await by.get(transaction, SECRET))?.content.toString();
      });
    const close = () => open[Symbol.asyncDispose]();
    return { open, vault, rotation, second, write, read, [Symbol.asyncDispose]: close };
  }

  it('writes under the epoch of a rotation that it did not make, after the older one is gone', async () => {
    await using both = await openBoth(directory.rootKey);
    const { open, vault, rotation, second, write, read } = both;
    await write('first');
    await rotation.begin('admin:test');
    await rotation.complete(NEVER);
    expect(epochs()).toEqual([2]);
    await write('second');
    expect(await read(open.vault)).toBe('second');
    expect(await second.begin('admin:test')).toBe(3);
    await second.complete(NEVER);
    expect(await read(open.vault)).toBe('second');
    expect(await read(vault)).toBe('second');
    expect(epochs()).toEqual([3]);
  });

  it('refuses with a root key that lacks an epoch, makes none of its own, and goes on once it has it', async () => {
    copyFileSync(directory.rootKey, elsewhere());
    await using both = await openBoth(elsewhere());
    const { open, vault, rotation, second, write, read } = both;
    await write('kept');
    await rotation.begin('admin:test');
    await rotation.complete(NEVER);
    const before = readFileSync(elsewhere(), 'utf8');
    await expect(read(vault)).rejects.toEqual(refusal('root-key'));
    await expect(write('lost')).rejects.toEqual(refusal('root-key'));
    await expect(second.begin('admin:test')).rejects.toEqual(refusal('root-key'));
    expect(readFileSync(elsewhere(), 'utf8')).toBe(before);
    copyFileSync(directory.rootKey, elsewhere());
    expect(await read(vault)).toBe('kept');
    await write('new');
    expect(await read(open.vault)).toBe('new');
  });

  it('refuses a file in which an epoch has another key', async () => {
    copyFileSync(directory.rootKey, elsewhere());
    await using both = await openBoth(elsewhere());
    await both.rotation.begin('admin:test');
    rmSync(elsewhere());
    await createRootKeyFile(elsewhere());
    await expect(both.write('lost')).rejects.toEqual(refusal('root-key'));
  });
});
