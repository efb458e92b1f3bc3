import { createHash } from 'node:crypto';
import { AttestationError } from '@a3s-box/attestation';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StoredSession } from '../store/store.ts';
import { NOW, openTestStore, testDirectory } from '../testing/fixtures.ts';
import { MemorySessions } from './memory-sessions.ts';
import type { AttestedSession, Sessions } from './sessions.ts';
import { StoredSessions } from './stored-sessions.ts';

const LIMITS = {
  sessions: 6,
  sessionsPerClient: 3,
  sessionsPerLaunch: 2,
  nonceMs: 1000,
  sessionMs: 5000,
  requests: 2,
};
const REQUEST = { tenant: 'default', tee: 'snp', algorithm: 'sha384' } as const;
const EVIDENCE = { report: Buffer.from('a report'), vek: Buffer.from('a key'), authorities: [] };
const VERIFIED = { tee: 'snp', report: { claims: 'of the report' } };
const ATTESTED = {
  ...{ tenant: 'default', tee: 'snp', client: 'a', label: 'one' },
  teeKey: { kty: 'EC' },
  launch: 'snp/00',
  evidence: EVIDENCE,
  proof: { evidence: VERIFIED, reportData: Buffer.from('report data') },
} as unknown as AttestedSession;

interface Clock {
  now: number;
}

/** A directory whose store two brokers share, as far as their sessions go. */
async function openShared(clock: Clock) {
  const directory = await testDirectory();
  const opened = await openTestStore(directory);
  onTestFinished(async () => {
    await opened[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });
  const { store, vault } = opened;
  const asked: unknown[] = [];
  const now = () => new Date(NOW.getTime() + clock.now);
  const verify = async (_: unknown, evidence: unknown) => {
    asked.push(evidence);
    return VERIFIED as never;
  };
  const open = (options: object = {}) =>
    StoredSessions.open({ store, vault, limits: LIMITS, now, verify, ...options });
  return { open, store, asked };
}

const KINDS: readonly [string, (clock: Clock) => Promise<Sessions>][] = [
  ['memory', async (clock) => new MemorySessions(LIMITS, () => clock.now)],
  ['the store', async (clock) => (await openShared(clock)).open()],
];

const BUSY = { code: 'kbs-busy' };

describe.each(KINDS)('the sessions of guests in %s', (_, open) => {
  async function opened() {
    const clock = { now: 0 };
    const sessions = await open(clock);
    return {
      sessions,
      pass: (milliseconds: number) => {
        clock.now += milliseconds;
      },
      challenge: async (client: string) => {
        return (await sessions.challenge({ ...REQUEST, client })).id;
      },
    };
  }

  it('gives each challenge a nonce and a name of its own', async () => {
    const { sessions } = await opened();
    const one = await sessions.challenge({ ...REQUEST, client: 'a' });
    const other = await sessions.challenge({ ...REQUEST, client: 'a' });
    expect(one.session.nonce).not.toBe(other.session.nonce);
    expect(one.session.label).not.toContain(one.id);
  });

  it('ends the oldest challenge of a client that has too many, and of all where all are', async () => {
    const { sessions, challenge, pass } = await opened();
    const next = (client: string) => {
      pass(1);
      return challenge(client);
    };
    const [first, second, third] = [await next('a'), await next('a'), await next('a')];
    const other = await next('b');
    await next('a');
    expect(await sessions.takeChallenged(first, 'default')).toBeUndefined();
    for (let n = 0; n < 2; n += 1) await next('b');
    const newest = await next('c');
    expect(await sessions.size()).toBe(6);
    expect(await sessions.takeChallenged(second, 'default')).toBeUndefined();
    for (const id of [third, other, newest]) {
      expect(await sessions.takeChallenged(id, 'default')).toBeDefined();
    }
  });

  it('refuses challenges where all sessions are attested, and ends none of those', async () => {
    const { sessions, challenge } = await opened();
    const ids: string[] = [];
    const next = (client: string) => {
      const launch = `snp/${ids.length}`;
      return sessions.attest({ ...ATTESTED, client, launch }).then(({ id }) => ids.push(id));
    };
    for (let n = 0; n < 3; n += 1) await next('a');
    await expect(challenge('a')).rejects.toMatchObject(BUSY);
    for (const id of ids) expect(await sessions.useAttested(id, 'default')).toBeDefined();
    for (let n = 0; n < 3; n += 1) await next('b');
    await expect(challenge('c')).rejects.toMatchObject(BUSY);
  });

  it('forgets challenges that expired, and counts them no more', async () => {
    const { sessions, challenge, pass } = await opened();
    const old = await challenge('a');
    for (let n = 0; n < 2; n += 1) await challenge('a');
    pass(1000);
    expect(await sessions.takeChallenged(old, 'default')).toBeUndefined();
    await challenge('a');
    expect(await sessions.size()).toBe(1);
  });

  it('takes a challenge once, and for its own tenant alone', async () => {
    const { sessions } = await opened();
    const { id, session } = await sessions.challenge({ ...REQUEST, client: 'a' });
    expect(await sessions.takeChallenged(id, 'other')).toBeUndefined();
    expect(await sessions.useAttested(id, 'default')).toBeUndefined();
    expect(await sessions.takeChallenged(id, 'default')).toEqual(session);
    expect(await sessions.takeChallenged(id, 'default')).toBeUndefined();
    expect(await sessions.size()).toBe(0);
  });

  it('ends an attested session after its time, and after as many requests as it has', async () => {
    const { sessions, pass } = await opened();
    const { id: one } = await sessions.attest(ATTESTED);
    const { id: other } = await sessions.attest(ATTESTED);
    expect(await sessions.useAttested(one, 'other')).toBeUndefined();
    expect(await sessions.takeChallenged(one, 'default')).toBeUndefined();
    for (let n = 0; n < 2; n += 1) {
      expect(await sessions.useAttested(one, 'default')).toEqual(ATTESTED);
    }
    expect(await sessions.useAttested(one, 'default')).toBeUndefined();
    pass(5000);
    expect(await sessions.useAttested(other, 'default')).toBeUndefined();
  });

  it('ends the oldest session of a guest that attests too often, and none of another one', async () => {
    const { sessions, pass } = await opened();
    const next = async (launch: string) => {
      pass(1);
      return (await sessions.attest({ ...ATTESTED, launch })).id;
    };
    const other = await next('snp/01');
    const [first, second, third] = [
      await next('snp/00'),
      await next('snp/00'),
      await next('snp/00'),
    ];
    expect(await sessions.useAttested(first, 'default')).toBeUndefined();
    for (const id of [other, second, third]) {
      expect(await sessions.useAttested(id, 'default')).toBeDefined();
    }
    expect(await sessions.size()).toBe(3);
  });

  it('ends a session by its cookie, for its own tenant alone, and challenges too', async () => {
    const { sessions, challenge } = await opened();
    const { id } = await sessions.attest(ATTESTED);
    await sessions.endOne(id, 'other');
    expect(await sessions.useAttested(id, 'default')).toBeDefined();
    const challenged = await challenge('a');
    for (const each of [id, id, challenged, 'unknown']) await sessions.endOne(each, 'default');
    expect(await sessions.useAttested(id, 'default')).toBeUndefined();
    expect(await sessions.takeChallenged(challenged, 'default')).toBeUndefined();
    expect(await sessions.size()).toBe(0);
  });

  it('ends the sessions of one tenant', async () => {
    const { sessions, challenge } = await opened();
    await challenge('a');
    await sessions.challenge({ ...REQUEST, tenant: 'other', client: 'a' });
    expect(await sessions.end('default')).toBe(1);
    expect(await sessions.size()).toBe(1);
  });
});

describe('sessions that brokers share', () => {
  it('continues with another broker, which verifies the evidence itself, once', async () => {
    const { open, asked } = await openShared({ now: 0 });
    const [first, second] = [await open(), await open()];
    const { id } = await first.challenge({ ...REQUEST, client: 'a' });
    expect(await second.takeChallenged(id, 'default')).toBeDefined();
    expect(await first.takeChallenged(id, 'default')).toBeUndefined();
    const { id: attested } = await first.attest(ATTESTED);
    expect(await second.useAttested(attested, 'default')).toEqual(ATTESTED);
    expect(await second.useAttested(attested, 'default')).toEqual(ATTESTED);
    expect(asked).toEqual([EVIDENCE]);
    expect(await first.useAttested(attested, 'default')).toBeUndefined();
  });

  it('refuses a session whose evidence another broker does not accept', async () => {
    const { open } = await openShared({ now: 0 });
    const { id } = await (await open()).attest(ATTESTED);
    const refused = new AttestationError('simulated-roots', 'This broker trusts none.');
    const second = await open({ verify: () => Promise.reject(refused) });
    await expect(second.useAttested(id, 'default')).rejects.toBe(refused);
  });

  it('opens no session that somebody wrote or changed in the store, and keeps no cookie there', async () => {
    const { open, store } = await openShared({ now: 0 });
    const sessions = await open();
    const { id } = await sessions.attest(ATTESTED);
    const place = createHash('sha256').update(id).digest('hex');
    const found = await store.transaction((transaction) => transaction.session(place));
    if (found === undefined) throw new Error('it is there');
    expect(JSON.stringify({ ...found, sealed: '' })).not.toContain(id);
    expect(Buffer.from(found.sealed).includes('report')).toBe(false);
    const { id: other } = await sessions.attest(ATTESTED);
    const elsewhere = createHash('sha256').update(other).digest('hex');
    const changed: [string, StoredSession][] = [
      [id, { ...found, client: 'b' }],
      [id, { ...found, expiresAt: found.expiresAt + 1 }],
      [id, { ...found, sealed: new Uint8Array(64) }],
      [other, { ...found, place: elsewhere }],
    ];
    for (const [cookie, row] of changed) {
      await store.transaction((transaction) => transaction.putSession(row));
      expect(await sessions.useAttested(cookie, 'default')).toBeUndefined();
    }
    const tenant = { ...found, tenant: 'other' };
    await store.transaction((transaction) => transaction.putSession(tenant));
    expect(await sessions.useAttested(id, 'other')).toBeUndefined();
    await store.transaction((transaction) => transaction.putSession(found));
    expect(await sessions.useAttested(id, 'default')).toEqual(ATTESTED);
  });
});
