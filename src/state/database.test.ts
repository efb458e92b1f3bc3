import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from './database.ts';

const MIGRATIONS = ['CREATE TABLE secrets (value TEXT)'];

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'a3s-state-'));
  path = join(dir, 'state.db');
});
afterEach(() => rmSync(dir, { recursive: true }));

function modes(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(dir).map((name) => [name, (statSync(join(dir, name)).mode & 0o777).toString(8)]),
  );
}

describe('the database', () => {
  it('makes the database and the files beside it readable by its owner alone', () => {
    const database = openDatabase(path, MIGRATIONS);
    database.exec("INSERT INTO secrets VALUES ('hidden')");
    expect(modes()).toEqual({ 'state.db': '600', 'state.db-wal': '600' });
    // Homes of an earlier version could be entered by everybody.
    chmodSync(dir, 0o711);
    for (const name of readdirSync(dir)) {
      if (process.geteuid?.() !== 0) break;
      const other = spawnSync('/bin/cat', [join(dir, name)], { uid: 65_534, gid: 65_534 });
      expect(other.status).toBe(1);
      expect(other.stdout.length).toBe(0);
    }
    database.close();
  });

  it('makes files private that an earlier version left readable for others', () => {
    openDatabase(path, MIGRATIONS).close();
    writeFileSync(`${path}-shm`, '');
    for (const name of readdirSync(dir)) chmodSync(join(dir, name), 0o644);
    openDatabase(path, MIGRATIONS).close();
    expect(new Set(Object.values(modes()))).toEqual(new Set(['600']));
  });

  it('creates no database, and keeps files beside it, when its caller refuses an empty one', () => {
    writeFileSync(`${path}-wal`, 'of a database that was moved away');
    const refuse = (): never => {
      throw new Error('not empty');
    };
    expect(() => openDatabase(path, MIGRATIONS, refuse)).toThrow('not empty');
    expect(readdirSync(dir)).toEqual(['state.db-wal']);
  });

  it('asks the caller again when an earlier attempt left only an empty file', () => {
    writeFileSync(path, '');
    let asked = 0;
    openDatabase(path, MIGRATIONS, () => {
      asked += 1;
    }).close();
    expect(asked).toBeGreaterThan(0);
    openDatabase(path, MIGRATIONS, () => expect.fail('it has records')).close();
  });
});
