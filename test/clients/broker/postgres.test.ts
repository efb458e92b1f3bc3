/**
 * The broker's store in a PostgreSQL server of Debian's, which is killed too.
 *
 * @module
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresAddress, PostgresClient } from '../../../src/broker/store/postgres-client.ts';
import { POSTGRES_MIGRATIONS } from '../../../src/broker/store/postgres-migrations.ts';
import { openPostgresStore } from '../../../src/broker/store/postgres-store.ts';
import type { BrokerStore } from '../../../src/broker/store/store.ts';
import { testCertificate } from '../../../src/broker/testing/certificate.ts';
import { PostgresServer } from '../../../src/broker/testing/postgres.ts';
import { describeStore } from '../../../src/broker/testing/store-contract.ts';
import { launchGuest, policyDocument } from '../../../src/broker/testing/test-broker.ts';
import { TestGuest } from '../../../src/broker/testing/test-guest.ts';
import { SOAK } from '../../e2e/soak.ts';
import { BrokerPair } from './pair.ts';

/** Of the schema. */
const VERSION = String(POSTGRES_MIGRATIONS.length);

let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.start();
  server.create('contract');
});
afterAll(() => server[Symbol.asyncDispose]());

const empty = () => server.sql('DROP SCHEMA IF EXISTS a3s_broker CASCADE', 'contract');
let test: string | undefined;

describeStore('PostgreSQL', async () => {
  const { currentTestName } = expect.getState();
  if (test !== currentTestName) empty();
  test = currentTestName;
  return openPostgresStore(server.address('contract'));
});

const refusal = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });
const set = (store: BrokerStore, name: string, value: string) =>
  store.transaction((transaction) => transaction.setValue(name, value));
const get = (store: BrokerStore, name: string) =>
  store.transaction((transaction) => transaction.value(name));

describe('a store in PostgreSQL', () => {
  let address: PostgresAddress;
  let count = 0;
  const create = () => {
    count += 1;
    address = server.create(`own${count}`);
    return openPostgresStore(address);
  };

  it('lets several brokers take turns: none changes what another one has read', async () => {
    const first = await create();
    const second = await openPostgresStore(address);
    const add = (store: BrokerStore) =>
      store.transaction(async (transaction) => {
        const found = Number((await transaction.value('n')) ?? 0);
        await transaction.setValue('n', String(found + 1));
      });
    const all = Array.from({ length: 100 }, (_, n) => add(n % 2 === 0 ? first : second));
    await Promise.all(all);
    expect(await get(first, 'n')).toBe('100');
    await first.close();
    await second.close();
  });

  it('makes its schema once where several brokers start at the same time', async () => {
    address = server.create('together');
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(address)));
    await Promise.all(stores.map((store, n) => set(store, `n${n}`, 'x')));
    for (const store of stores) await store.close();
    expect(server.sql('SELECT version FROM a3s_broker.schema_version', 'together')).toBe(VERSION);
  });

  it('refuses a store of a newer version, also one that becomes newer while it is open', async () => {
    const store = await create();
    server.sql('UPDATE a3s_broker.schema_version SET version = 99', address.database);
    await expect(set(store, 'a', '1')).rejects.toEqual(refusal('broker-store', 'version 99'));
    await expect(openPostgresStore(address)).rejects.toEqual(refusal('broker-store', 'version 99'));
    server.sql(`UPDATE a3s_broker.schema_version SET version = ${VERSION}`, address.database);
    await set(store, 'a', '2');
    expect(await get(store, 'a')).toBe('2');
    await store.close();
  });

  it('refuses a transaction whose connection ends, commits nothing of it, and goes on', async () => {
    const store = await create();
    await set(store, 'a', 'before');
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${address.database}' AND pid <> pg_backend_pid()`;
    const cut = store.transaction(async (transaction) => {
      await transaction.setValue('a', 'undone');
      server.sql(end);
      // The next statement, which notices, has no connection to run on.
      await transaction.setValue('b', 'outside of the transaction');
    });
    await expect(cut).rejects.toEqual(refusal('broker-store', 'PostgreSQL at'));
    expect(await Promise.all([get(store, 'a'), get(store, 'b')])).toEqual(['before', undefined]);
    // One that ends between two transactions is no failure.
    server.sql(end);
    expect(await get(store, 'a')).toBe('before');
    await store.close();
  });

  it('lets the server end a broker that hangs in a transaction while others wait', async () => {
    const client = await PostgresClient.connect(server.address());
    const show = async (name: string) => (await client.script(`SHOW ${name}`))[0]?.rows[0];
    const idle = 'idle_in_transaction_session_timeout';
    expect(await show(idle)).toEqual({ [idle]: '10s' });
    expect(await show('lock_timeout')).toEqual({ lock_timeout: '20s' });
    await client.close();
  });

  it('keeps everything that it acknowledged after kills of the server', async () => {
    const store = await create();
    const acknowledged = new Set<string>();
    for (let round = 0; round < 2; round += 1) {
      const until = acknowledged.size + 20;
      let killed: Promise<void> | undefined;
      const writers = [0, 1, 2].map(async (writer) => {
        for (let n = 0; ; n += 1) {
          const name = `r${round}w${writer}n${n}`;
          const done = await set(store, name, 'x').then(
            () => true,
            () => false,
          );
          if (!done) return;
          acknowledged.add(name);
          if (acknowledged.size >= until) killed ??= server.kill();
        }
      });
      await Promise.all(writers);
      await killed;
      await expect(set(store, 'down', 'x')).rejects.toEqual(refusal('broker-store', 'Cannot use'));
      await server.begin();
    }
    const names = await Promise.all([...acknowledged].map((name) => get(store, name)));
    expect(new Set(names)).toEqual(new Set(['x']));
    await store.close();
  });

  it('refuses a database that is not in UTF-8, and one that is not there', async () => {
    const options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    server.sql(`CREATE DATABASE latin ${options}`);
    const latin = openPostgresStore(server.address('latin'));
    await expect(latin).rejects.toEqual(refusal('broker-store', 'LATIN1'));
    const nowhere = openPostgresStore({ ...server.address('latin'), port: 5433 });
    await expect(nowhere).rejects.toEqual(refusal('broker-store', 'ENOENT'));
  });

  it('shows the password of its file, and refuses a file that others can read', async () => {
    server.sql("ALTER ROLE postgres PASSWORD 'hunter2'");
    const guarded = server.create('guarded');
    server.require('guarded', 'scram-sha-256');
    const passwordFile = join(server.directory, 'password');
    await expect(openPostgresStore(guarded)).rejects.toEqual(
      refusal('broker-config', 'passwordFile'),
    );
    writeFileSync(passwordFile, 'hunter3\n', { mode: 0o600 });
    const open = () => openPostgresStore({ ...guarded, passwordFile });
    await expect(open()).rejects.toEqual(refusal('broker-store', 'password authentication failed'));
    writeFileSync(passwordFile, 'hunter2\n');
    await (await open()).close();
    chmodSync(passwordFile, 0o640);
    await expect(open()).rejects.toEqual(refusal('root-key', 'only its owner'));
  });
});

describe('two brokers of one PostgreSQL', () => {
  const GUESTS = SOAK ? 200 : 24;
  const AT_ONCE = 8;
  /** After how many secrets a broker is killed. */
  const KILL_AFTER = 8;
  /** Only what hangs takes so long: a broker begins again for each few secrets. */
  const LONGEST = GUESTS * 10_000;
  const path = (guest: number) => `default/db/g${guest}`;

  /**
   * Where a broker fails, the guest asks the next one in the same session: it does not know whether
   * it was given its secret. Kills seldom hit between a release and its answer, so each guest loses
   * one answer besides, and asks the other broker.
   */
  async function pull(pair: BrokerPair, guest: number): Promise<string> {
    const client = new TestGuest((url) => pair.url(url), launchGuest());
    const cookie = await untilAnswered(() => client.enter());
    const ask = () =>
      untilAnswered(async () => {
        const answer = await client.resource(cookie, path(guest));
        if (answer.status === 500) throw new Error('internal');
        return answer;
      });
    await ask();
    const { status, body } = await ask();
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    await untilAnswered(() => client.end(cookie));
    return client.decrypt(body);
  }

  /** A challenge whose answer broke off may have been used, so an attestation begins anew. */
  async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        const again = error instanceof TypeError || /kbs-session|internal/.test(String(error));
        if (!again) throw error;
      }
    }
  }

  it(
    'record the secret of each guest exactly once, while one of them is killed again and again',
    async () => {
      await using pair = await BrokerPair.start(server.create('pair'));
      const api = '/v1/tenants/default';
      await pair.admin('PUT', `${api}/policies/web`, policyDocument());
      await pair.admin('PUT', `${api}/grants/db`, { path: 'default/db/*', policy: 'web' });
      for (let guest = 0; guest < GUESTS; guest += 1) {
        const put = await pair.admin(
          'PUT',
          `${api}/secrets/${path(guest)}`,
          Buffer.from(`s${guest}`),
        );
        expect(put.status).toBe(200);
      }
      const pulled: string[] = [];
      let kills = 0;
      let restarting: Promise<void> = Promise.resolve();
      let next = 0;
      const workers = Array.from({ length: AT_ONCE }, async () => {
        while (next < GUESTS) {
          const guest = next;
          next += 1;
          pulled[guest] = await pull(pair, guest);
          if (Object.keys(pulled).length < KILL_AFTER * (kills + 1)) continue;
          const victim = kills % 2;
          kills += 1;
          // The one before has to be back: there is always one that answers.
          restarting = restarting.then(async () => {
            await pair.kill(victim);
            await pair.serve(victim);
          });
        }
      });
      await Promise.all(workers);
      await restarting;
      expect(kills).toBeGreaterThanOrEqual(GUESTS / KILL_AFTER - 1);
      expect(pulled).toEqual(Array.from({ length: GUESTS }, (_, guest) => `s${guest}`));

      const { body } = await pair.admin('GET', '/v1/audit/export', undefined, 'olga');
      const lines = body['lines'] as { readonly body?: string }[];
      const entries = lines.flatMap((line) =>
        line.body === undefined ? [] : JSON.parse(line.body),
      );
      const released = entries.filter(({ action }) => action === 'resource-released');
      const paths = released.map(({ object }) => object).toSorted();
      expect(paths).toEqual(Array.from({ length: GUESTS }, (_, guest) => path(guest)).toSorted());
      const log = join(pair.directory, 'audit.log');
      writeFileSync(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      const verified = pair.run('verify', '--log', log, '--key', join(pair.directory, 'audit.pem'));
      expect(verified).toMatchObject({ status: 0, stdout: expect.stringMatching(/: good\n$/) });
    },
    LONGEST,
  );

  it('take each step of a counter once, and attest guests with one key', async () => {
    await using pair = await BrokerPair.start(server.create('counted'));
    const api = '/v1/tenants/default';
    await pair.admin('PUT', `${api}/policies/web`, policyDocument());
    const grant = { path: 'default/volumes/*', policy: 'web', counter: true };
    await pair.admin('PUT', `${api}/grants/volumes`, grant);
    const guest = new TestGuest((path) => pair.url(path), launchGuest());
    const cookie = await guest.enter();
    const volume = '5'.repeat(32);
    for (const [from, to] of [
      [0, 3],
      [3, 4],
      [4, 5],
    ]) {
      const step = () => guest.advance(cookie, 'default/volumes/data', { volume, from, to });
      const answers = await Promise.all(Array.from({ length: 8 }, step));
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
      expect(statuses).toEqual([200, ...Array(7).fill(409)]);
    }
    const { body } = await pair.admin('GET', '/v1/audit/export', undefined, 'olga');
    const text = JSON.stringify(body);
    expect(text.match(/counter-advanced/g)).toHaveLength(3);
    const nonce = Buffer.alloc(8).toString('base64');
    const results = [await guest.result(cookie, { nonce }), await guest.result(cookie, { nonce })];
    const keys = results.map(({ body: { token } }) => String(token).split('.')[0]);
    expect(results.map(({ status }) => status)).toEqual([200, 200]);
    expect(keys[0]).toBe(keys[1]);
  });

  it('continue with what the other one began, and end when it does as they always do', async () => {
    await using pair = await BrokerPair.start(server.create('survivors'));
    const api = '/v1/tenants/default';
    await pair.admin('PUT', `${api}/policies/web`, policyDocument());
    await pair.admin('PUT', `${api}/grants/db`, { path: 'default/db/*', policy: 'web' });
    await pair.admin('PUT', `${api}/secrets/default/db/one`, Buffer.from('hunter2'));
    const guest = new TestGuest((path) => pair.url(path), launchGuest());
    const { cookie, nonce } = await guest.challenge();
    await pair.kill(0);
    const attestation = guest.attestation(nonce);
    const attested = await guest.attest(cookie, attestation);
    expect(attested.status).toBe(200);
    await pair.serve(0);
    await pair.kill(1);
    const { body } = await guest.resource(attested.cookie, 'default/db/one');
    expect(guest.decrypt(body)).toBe('hunter2');
    // The nonce was used, whichever broker has seen it.
    const again = await guest.attest(cookie, attestation);
    expect(again).toMatchObject({ status: 401, body: { detail: 'kbs-session' } });
    // Revoked at one broker a moment ago, and the other one never heard of it.
    await pair.admin('PUT', `${api}/grants/db/revoked`);
    await pair.serve(1);
    await pair.kill(0);
    const refused = await guest.resource(attested.cookie, 'default/db/one');
    expect(refused).toMatchObject({ status: 403, body: { detail: 'kbs-denied' } });
  });
});

it('connects over TLS to a server whose certificate fits, and to no other', async () => {
  const [own, other] = [testCertificate('database'), testCertificate('another')];
  const ca = join(server.directory, 'ca.crt');
  writeFileSync(ca, own.cert);
  const port = await server.beginWithTls(own);
  const address = { ...server.create('secured'), host: '127.0.0.1', port, tls: { ca } };
  const store = await openPostgresStore(address);
  const encrypted = `SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE ssl AND application_name = 'a3s-box-broker'`;
  expect(server.sql(encrypted)).toBe('1');
  await store.close();
  const elsewhere = openPostgresStore({ ...address, host: 'localhost' });
  await expect(elsewhere).rejects.toEqual(refusal('broker-store', 'Cannot use PostgreSQL'));
  writeFileSync(ca, other.cert);
  await expect(openPostgresStore(address)).rejects.toEqual(refusal('broker-store', 'self-signed'));
  await server.kill();
  await server.begin('127.0.0.1', `port=${port}`);
  const plain = openPostgresStore(address);
  await expect(plain).rejects.toEqual(refusal('broker-store', 'does not support SSL'));
});
