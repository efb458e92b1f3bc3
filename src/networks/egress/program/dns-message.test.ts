import { describe, expect, it } from 'vitest';
import { nameBytes, question, readReply, reply, type TestRecord } from '../testing/dns-bytes.ts';
import { readAnswer, readQuery, TYPE, writeQuestion, writeReply } from './dns-message.ts';

const OPT = '0000291000000000000000';

describe('a question of a guest', () => {
  it('reads a question with and without EDNS, and answers with the letters of its name', () => {
    for (const more of ['', OPT]) {
      const { query } = readQuery(question('WwW.Example.ORG', { more }));
      expect(query).toMatchObject({ id: 7, name: 'www.example.org', type: 1, isInternet: true });
      if (query === undefined) throw new Error('no query');
      const answer = writeReply(query, 0, [0x01020304, 0x05060708], 9);
      expect(answer.includes('WwW')).toBe(true);
      expect(readReply(answer)).toEqual({ rcode: 0, addresses: ['1.2.3.4', '5.6.7.8'], ttl: 9 });
    }
  });

  it('writes an answer of at most 512 bytes', () => {
    const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    const { query } = readQuery(question(longest));
    if (query === undefined) throw new Error('no query');
    expect(
      writeReply(
        query,
        0,
        Array.from({ length: 99 }, (_, at) => at),
        1,
      ).length,
    ).toBeLessThan(513);
  });

  it.each([
    [
      'two questions',
      Buffer.concat([question('a.b').fill(2, 5, 6), nameBytes('c.d'), Buffer.alloc(4)]),
    ],
    ['bytes behind it', Buffer.concat([question('a.b'), Buffer.from([0])])],
    [
      'a pointer in its name',
      Buffer.concat([question('a').subarray(0, 12), Buffer.from('c00c00010001', 'hex')]),
    ],
    ['a name that does not end', question('a.b').subarray(0, 15)],
    ['half a record of EDNS', question('a.b', { more: OPT.slice(0, -2) })],
    ['another record', question('a.b', { more: OPT.replace('0029', '0001') })],
    ['records in other sections', question('a.b').fill(1, 7, 8)],
  ])('refuses a question with %s as malformed', (_, message) => {
    const { query, reply: refusal } = { query: undefined, reply: undefined, ...readQuery(message) };
    expect(query).toBeUndefined();
    expect((refusal?.readUInt16BE(2) ?? 0) & 15).toBe(1);
  });

  it('answers no message that is an answer, or too short', () => {
    expect(readQuery(question('a.b', { flags: 0x8100 }))).toEqual({ reply: undefined });
    expect(readQuery(Buffer.alloc(11))).toEqual({ reply: undefined });
    expect(readQuery(question('a.b', { flags: 0x2800 }))).toMatchObject({
      reply: expect.any(Buffer),
    });
  });

  it('reads no host name with bytes that host names do not have', () => {
    const names = ['a b.c', 'a\0.b', 'é.org', 'a.b/c', '*.org'];
    expect(names.map((name) => readQuery(question(name)).query?.name)).toEqual(
      names.map(() => undefined),
    );
  });

  it('reads a DNS message of any bytes without an exception', () => {
    const seed = question('www.example.org', { more: OPT });
    let state = 1;
    const random = (below: number): number => {
      state = (state * 48271) % 2147483647;
      return state % below;
    };
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = Buffer.from(seed.subarray(0, random(seed.length + 1)));
      for (let change = random(6); change > 0 && bytes.length > 0; change -= 1) {
        bytes[random(bytes.length)] = random(256);
      }
      readQuery(bytes);
      readAnswer(bytes, { id: 7, asked: 'www.example.org', type: TYPE.A });
    }
  });
});

describe('an answer of a server', () => {
  const asked = writeQuestion(9, 'www.example.org', TYPE.A);
  const read = (records: readonly TestRecord[], more = {}) =>
    readAnswer(reply(asked, records, more), { id: 9, asked: 'www.example.org', type: TYPE.A });

  it('follows aliases of an answer to addresses, and takes the shortest time of all', () => {
    const records = [
      { owner: 'www.example.org', alias: 'cdn.example.net', ttl: 300 },
      { owner: 'cdn.example.net', alias: 'edge.example.com', ttl: 20 },
      { owner: 'edge.example.com', a: '203.0.113.7', ttl: 60 },
      { owner: 'edge.example.com', a: '203.0.113.8', ttl: 60 },
    ];
    const answer = { rcode: 0, truncated: false, addresses: [0xcb007107, 0xcb007108], ttl: 20 };
    expect(read(records)).toEqual(answer);
    expect(read([...records].reverse())).toMatchObject({ addresses: [0xcb007108, 0xcb007107] });
  });

  it('takes no address of another name, nor at the end of a loop or of a long chain', () => {
    expect(read([{ owner: 'evil.example', a: '203.0.113.7' }])?.addresses).toEqual([]);
    expect(
      read([
        { owner: 'www.example.org', alias: 'b.example' },
        { owner: 'b.example', alias: 'www.example.org' },
      ])?.addresses,
    ).toEqual([]);
    const chain = Array.from({ length: 40 }, (_, at) => ({
      owner: at === 0 ? 'www.example.org' : `n${at}.example`,
      alias: `n${at + 1}.example`,
    }));
    expect(read([...chain, { owner: 'n40.example', a: '203.0.113.7' }])?.addresses).toEqual([]);
  });

  it('reads the addresses of the kind that was asked for', () => {
    const records = [
      { owner: 'www.example.org', a: '203.0.113.7' },
      { owner: 'www.example.org', a: '2001:db8::7', ttl: 20 },
    ];
    const six = writeQuestion(9, 'www.example.org', TYPE.AAAA);
    const answer = readAnswer(reply(six, records), {
      id: 9,
      asked: 'www.example.org',
      type: TYPE.AAAA,
    });
    expect(answer).toMatchObject({
      addresses: [0x2001_0db8_0000_0000_0000_0000_0000_0007n],
      ttl: 20,
    });
    expect(read(records)).toMatchObject({ addresses: [0xcb007107], ttl: 60 });
    expect(
      readAnswer(reply(six, records), { id: 9, asked: 'www.example.org', type: TYPE.A }),
    ).toBeUndefined();
  });

  it('refuses an answer with another number, question or kind', () => {
    const answer = reply(asked, [{ owner: 'www.example.org', a: '203.0.113.7' }]);
    expect(readAnswer(answer, { id: 8, asked: 'www.example.org', type: TYPE.A })).toBeUndefined();
    expect(readAnswer(answer, { id: 9, asked: 'other.example.org', type: TYPE.A })).toBeUndefined();
    expect(readAnswer(asked, { id: 9, asked: 'www.example.org', type: TYPE.A })).toBeUndefined();
    expect(read([], { count: 1 })).toBeUndefined();
    expect(
      readAnswer(answer.subarray(0, -1), { id: 9, asked: 'www.example.org', type: TYPE.A }),
    ).toBeUndefined();
  });

  it('reports that an answer was cut off', () => {
    expect(read([], { truncated: true })).toMatchObject({ truncated: true, addresses: [] });
  });

  it('refuses a pointer that leads forward or to itself', () => {
    const record = (owner: string) => Buffer.from(`${owner}000100010000003c0004cb007107`, 'hex');
    const head = reply(asked, [], { count: 1 });
    const at = (offset: number) => (0xc000 | offset).toString(16);
    const read = (owner: string) =>
      readAnswer(Buffer.concat([head, record(owner)]), {
        id: 9,
        asked: 'www.example.org',
        type: TYPE.A,
      })?.addresses;
    expect(read('c00c')).toEqual([0xcb007107]);
    for (const bad of [at(head.length), at(head.length + 4), 'c000', 'ffff']) {
      expect(read(bad)).toBeUndefined();
    }
  });
});
