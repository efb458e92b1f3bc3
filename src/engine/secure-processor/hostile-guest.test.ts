// A compromised guest, at the port of its simulated secure processor.
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { duplexPair } from '../testing/duplex-pair.ts';
import { type AskedGuest, answerLine } from './answer.ts';
import { Pace } from './pace.ts';
import { converse } from './port.ts';
import { MAX_LINE, readRequest } from './protocol.ts';

const MIB = 2 ** 20;
const ID = '0123456789abcdef';
const REPORT = { id: ID, op: 'report', reportData: '7e'.repeat(64) };
const KEY = {
  ...{ id: ID, op: 'derive-key', rootKey: 'VCEK', fields: ['policy'] },
  ...{ vmpl: 0, guestSvn: 0, tcb: '0' },
};

let asked = 0;
const guest: AskedGuest = {
  report: ({ reportData }) => {
    asked += 1;
    const certificateTable = new Uint8Array(4096);
    return {
      report: reportData,
      certificateTable,
      evidence: { report: reportData, vek: certificateTable, authorities: [] },
    };
  },
  deriveKey: () => {
    asked += 1;
    return new Uint8Array(32);
  },
};

const line = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

it.each<[string, Buffer]>([
  ['another operation', line({ ...REPORT, op: 'launch' })],
  ['an operation of every object', line({ ...REPORT, op: 'constructor' })],
  ['a key that nobody knows', line({ ...REPORT, hostData: '00' })],
  ['another prototype', Buffer.from(`{"__proto__":{"op":"report"},"id":"${ID}"}`)],
  ['REPORT_DATA of another length', line({ ...REPORT, reportData: '7e' })],
  ['a length that is no number', line({ ...REPORT, reportData: { length: { toString: 0 } } })],
  ['a field twice', line({ ...KEY, fields: ['policy', 'policy'] })],
  ['fields without end', line({ ...KEY, fields: Array(5000).fill('policy') })],
  ['a level of privilege that there is not', line({ ...KEY, vmpl: 4 })],
  ['a TCB of 65 bits', line({ ...KEY, tcb: '18446744073709551616' })],
  ['a root key of the chip’s own', line({ ...KEY, rootKey: 'VLEK' })],
])('refuses a request with %s as malformed before it reaches the processor', (_, bytes) => {
  asked = 0;
  const answer = answerLine(guest, bytes);
  expect(answer).toMatchObject({ id: ID, error: { code: 'malformed' } });
  expect(JSON.stringify(answer).length).toBeLessThan(512);
  expect(asked).toBe(0);
});

it.each<[string, Buffer]>([
  ['nesting as deep as a line is long', Buffer.from('['.repeat(MAX_LINE))],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x80])],
  ['an id that a terminal obeys', line({ ...REPORT, id: '\u001b[31m' })],
  ['an id that is none', line({ ...REPORT, id: [ID] })],
  ['a list', line([REPORT])],
  ['nothing', Buffer.alloc(0)],
])('ignores a line with %s', (_, bytes) => {
  expect(answerLine(guest, bytes)).toBeUndefined();
});

it('buffers no more of a flood than one line, and answers after it', async () => {
  const [host, port] = duplexPair();
  const end = new AbortController();
  const pace = new Pace({ burst: 100_000, perSecond: 1 });
  const done = converse(host, guest, pace, end.signal).catch(() => undefined);
  const before = process.memoryUsage().rss;
  const piece = Buffer.alloc(65_536, 'x');
  for (let sent = 0; sent < 256 * MIB; sent += piece.length) {
    await new Promise((resolve) => port.write(piece, resolve));
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(128 * MIB);
  port.write(`\n${JSON.stringify(REPORT)}\n`);
  const answer = await new Promise((resolve) => port.once('data', resolve));
  expect(JSON.parse(String(answer))).toMatchObject({ id: ID, report: expect.any(String) });
  end.abort();
  await done;
});

it('releases the port when the guest closes it in the middle of an answer', async () => {
  const [host, port] = duplexPair();
  const pace = new Pace({ burst: 100_000, perSecond: 1 });
  const done = converse(host, guest, pace, new AbortController().signal).catch(() => undefined);
  port.on('error', () => undefined);
  for (let n = 0; n < 100; n += 1) port.write(`${JSON.stringify(REPORT)}\n`);
  port.once('data', () => port.destroy());
  await done;
  expect(host.destroyed).toBe(true);
});

const anyRequest = fc
  .tuple(fc.constantFrom(REPORT, KEY), fc.dictionary(fc.string(), fc.jsonValue()))
  .chain(([base, more]) =>
    fc
      .record(
        Object.fromEntries(
          Object.entries(base).map(([key, value]) => [
            key,
            fc.oneof(fc.constant(value), fc.jsonValue()),
          ]),
        ),
        { requiredKeys: [] },
      )
      .map((changed) => line({ ...more, ...changed })),
  );

it('never answers a guest with more than it asked for', { timeout: FUZZ_TIMEOUT }, async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data)),
    fc.json().map((text) => Buffer.from(text)),
    anyRequest,
  );
  const property = fc.property(bytes, (data) => {
    const request = readRequest(data);
    const answer = answerLine(guest, data);
    expect(answer === undefined).toBe(request === undefined);
    if (answer === undefined) return;
    expect(answer.id).toMatch(/^[0-9a-f]{16}$/);
    if (!('error' in answer)) return;
    expect(answer.error.message).not.toMatch(/\p{Cc}/u);
    expect(answer.error.message.length).toBeLessThan(512);
  });
  await fuzz(property);
});
