import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { alikeFor } from './alike.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { expectRefusal } from './refusal.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ACTORS)('the home of %s', (name) => {
  let actor: Actor;
  /** For what no user of the host makes a difference to. */
  const alike = alikeFor(name);
  beforeEach(async () => {
    actor = new Actor(name, installation);
    await actor.load('busybox');
    await actor.stopServer();
  });
  afterEach(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const database = () => join(actor.home, 'state.db');

  function change(sql: string): void {
    const opened = new Database(database());
    opened.exec(sql);
    opened.close();
  }

  /** Each command says the same, nothing is changed by it, and nothing of it stays. */
  async function expectUnusable(what: RegExp): Promise<void> {
    const before = snapshot(actor.home);
    for (const [status, ...args] of [
      [1, 'ps'],
      [1, 'images'],
      [125, 'run', BUSYBOX, 'true'],
      [125, 'serve'],
    ] as const) {
      const result = await actor.run(args);
      expectRefusal(result, status, 'state-unusable');
      expect(result.stderr).toMatch(what);
    }
    expect(snapshot(actor.home)).toEqual(before);
    expect(existsSync(actor.runtimeDir)).toBe(false);
    await until('no server is left', () => actor.serverPid() === undefined);
  }

  alike('refuses a home whose database is not a database', async () => {
    writeFileSync(database(), 'this is no database, however long one looks at it\n'.repeat(100));
    await expectUnusable(/state\.db: file is not a database/);
  });

  alike('refuses a home of a newer schema version', async () => {
    change('PRAGMA user_version = 99');
    await expectUnusable(/state\.db: its schema is version 99/);
    change('PRAGMA journal_mode = DELETE');
    await expectUnusable(/state\.db: its schema is version 99/);
  });

  alike('refuses a home with an invalid record', async () => {
    const kept = readFileSync(database());
    change(`UPDATE image_manifests SET record = json_remove(record, '$.layers[0].blob')`);
    await expectUnusable(/Cannot read the record of an image/);
    writeFileSync(database(), kept);
    change(`INSERT INTO boxes VALUES ('${'a'.repeat(64)}', 'one', 1, '{}', '{}')`);
    await expectUnusable(/Cannot read the record of box a/);
  });

  alike('refuses a home without its records until they are back', async () => {
    const kept = join(actor.directory, 'kept.db');
    renameSync(database(), kept);
    await expectUnusable(/has no record of them/);
    renameSync(kept, database());
    expect(await actor.ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).toBe(BUSYBOX);
  });

  it('refuses to serve a home twice', async () => {
    const serving = actor.start(['serve']);
    const ended = new Promise((resolve) => serving.once('close', resolve));
    await until('the server answers', () => existsSync(actor.socket));
    const second = await actor.run(['serve']);
    expectRefusal(second, 125, 'server-running');
    // The first one still serves.
    expect(await actor.ok(['images', '--quiet'])).not.toBe('');
    serving.kill('SIGTERM');
    await ended;
    await until('the server is gone', () => actor.serverPid() === undefined);
    expect(existsSync(actor.runtimeDir)).toBe(false);
  });

  it('serves a home whose server died and left its socket', async () => {
    await actor.ok(['ps']);
    await actor.killServer();
    expect(statSync(actor.socket).isSocket()).toBe(true);
    expect(await actor.ok(['images', '--quiet'])).not.toBe('');
    await actor.stopServer();
    expect(existsSync(actor.runtimeDir)).toBe(false);
  });
});

/** Every file with its bytes; the server's log may grow. */
function snapshot(directory: string): readonly (readonly [string, string])[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'server.log')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')] as const);
}
