import { describe, expect, it } from 'vitest';
import type { AttestedSession } from './sessions.ts';
import { Sessions } from './sessions.ts';

const LIMITS = {
  sessions: 6,
  sessionsPerClient: 3,
  nonceMs: 1000,
  sessionMs: 5000,
  requests: 2,
};
const REQUEST = { tenant: 'default', tee: 'snp', algorithm: 'sha384' } as const;
const ATTESTED = { ...REQUEST, client: 'a' } as unknown as AttestedSession;

function opened() {
  let now = 0;
  const sessions = new Sessions(LIMITS, () => now);
  return {
    sessions,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
    challenge: (client: string) => sessions.challenge({ ...REQUEST, client }).id,
  };
}

const BUSY = expect.objectContaining({ code: 'kbs-busy' });

describe('the sessions of guests', () => {
  it('gives each challenge a nonce and a name of its own', () => {
    const { sessions } = opened();
    const [one, other] = [1, 2].map(() => sessions.challenge({ ...REQUEST, client: 'a' }));
    expect(one?.session.nonce).not.toBe(other?.session.nonce);
    expect(one?.session.label).not.toContain(one?.id);
  });

  it('ends the oldest challenge of a client that has too many, and of all where all are', () => {
    const { sessions, challenge } = opened();
    const [first = '', second = '', third = ''] = [1, 2, 3].map(() => challenge('a'));
    const other = challenge('b');
    challenge('a');
    expect(sessions.takeChallenged(first, 'default')).toBeUndefined();
    for (let n = 0; n < 2; n += 1) challenge('b');
    const newest = challenge('c');
    expect(sessions.size).toBe(6);
    expect(sessions.takeChallenged(second, 'default')).toBeUndefined();
    for (const id of [third, other, newest]) {
      expect(sessions.takeChallenged(id, 'default')).toBeDefined();
    }
  });

  it('refuses challenges where all sessions are attested, and ends none of those', () => {
    const { sessions, challenge } = opened();
    const ids = [1, 2, 3].map(() => sessions.attest(ATTESTED).id);
    expect(() => challenge('a')).toThrow(BUSY);
    for (const id of ids) expect(sessions.useAttested(id, 'default')).toBeDefined();
    for (let n = 0; n < 3; n += 1) sessions.attest({ ...ATTESTED, client: 'b' });
    expect(() => challenge('c')).toThrow(BUSY);
  });

  it('forgets challenges that expired, and counts them no more', () => {
    const { sessions, challenge, pass } = opened();
    const old = challenge('a');
    for (let n = 0; n < 2; n += 1) challenge('a');
    pass(1000);
    expect(sessions.takeChallenged(old, 'default')).toBeUndefined();
    challenge('a');
    expect(sessions.size).toBe(1);
  });

  it('takes a challenge once, and for its own tenant alone', () => {
    const { sessions, challenge } = opened();
    const id = challenge('a');
    expect(sessions.takeChallenged(id, 'other')).toBeUndefined();
    expect(sessions.useAttested(id, 'default')).toBeUndefined();
    expect(sessions.takeChallenged(id, 'default')).toMatchObject({ client: 'a' });
    expect(sessions.takeChallenged(id, 'default')).toBeUndefined();
    expect(sessions.size).toBe(0);
  });

  it('ends an attested session after its time, and after as many requests as it has', () => {
    const { sessions, pass } = opened();
    const [one, other] = [1, 2].map(() => sessions.attest(ATTESTED).id);
    expect(sessions.useAttested(one ?? '', 'other')).toBeUndefined();
    expect(sessions.takeChallenged(one ?? '', 'default')).toBeUndefined();
    for (let n = 0; n < 2; n += 1) {
      expect(sessions.useAttested(one ?? '', 'default')).toBeDefined();
    }
    expect(sessions.useAttested(one ?? '', 'default')).toBeUndefined();
    pass(5000);
    expect(sessions.useAttested(other ?? '', 'default')).toBeUndefined();
    expect(sessions.size).toBe(0);
  });

  it('ends the sessions of one tenant', () => {
    const { sessions, challenge } = opened();
    challenge('a');
    sessions.challenge({ ...REQUEST, tenant: 'other', client: 'a' });
    expect(sessions.end('default')).toBe(1);
    expect(sessions.size).toBe(1);
  });
});
