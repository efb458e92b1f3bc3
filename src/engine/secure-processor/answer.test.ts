import { createHash } from 'node:crypto';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AskedGuest, answerLine } from './answer.ts';
import { KEY_FIELDS } from './protocol.ts';

const ID = '00112233445566aa';
const DERIVE = {
  id: ID,
  op: 'derive-key',
  rootKey: 'VMRK',
  fields: ['policy', 'measurement', 'tcb'],
  vmpl: 0,
  guestSvn: 3,
  tcb: '18446744073709551615',
};
const REPORT = { id: ID, op: 'report', reportData: '5a'.repeat(64) };

/** Returns a report with the requested data. */
const guest: AskedGuest = {
  report: ({ reportData }) => ({
    report: reportData,
    certificateTable: new Uint8Array([1, 2, 3]),
    evidence: { report: reportData, vek: new Uint8Array(), authorities: [] },
  }),
  deriveKey: (request) =>
    new Uint8Array(
      createHash('sha256')
        .update(
          JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
        )
        .digest(),
    ),
};

const ask = (request: unknown, asked = guest) =>
  answerLine(asked, Buffer.from(JSON.stringify(request)));

function refusing(error: Error): AskedGuest {
  const refuse = (): never => {
    throw error;
  };
  return { report: refuse, deriveKey: refuse };
}

describe('a request', () => {
  it('answers a request for a report with the report and the certificates', () => {
    expect(ask(REPORT)).toEqual({
      id: ID,
      report: Buffer.alloc(64, 0x5a).toString('base64'),
      certificates: 'AQID',
    });
  });

  it('answers a request for a key with the key of exactly that request', () => {
    const expected = guest.deriveKey({
      rootKeySelect: 1,
      guestFieldSelect: 0b101001n,
      vmpl: 0,
      guestSvn: 3,
      tcbVersion: 0xffff_ffff_ffff_ffffn,
    });
    expect(ask(DERIVE)).toEqual({ id: ID, key: Buffer.from(expected).toString('hex') });
    const fields = [...KEY_FIELDS];
    expect(ask({ ...DERIVE, rootKey: 'VCEK', fields, tcb: '0' })).toMatchObject({
      key: Buffer.from(
        guest.deriveKey({
          rootKeySelect: 0,
          guestFieldSelect: 0b111111n,
          vmpl: 0,
          guestSvn: 3,
          tcbVersion: 0n,
        }),
      ).toString('hex'),
    });
  });

  it.each([
    ['an unknown operation', { ...REPORT, op: 'launch' }],
    ['an unknown member', { ...REPORT, vmpl: 0 }],
    ['report data of another length', { ...REPORT, reportData: '5a'.repeat(63) }],
    ['an unknown root key', { ...DERIVE, rootKey: 'vcek' }],
    ['an unknown field', { ...DERIVE, fields: ['host-data'] }],
    ['a field twice', { ...DERIVE, fields: ['policy', 'policy'] }],
    ['a VMPL that is not there', { ...DERIVE, vmpl: 4 }],
    ['a TCB of more than 64 bits', { ...DERIVE, tcb: '18446744073709551616' }],
    ['a TCB as a number', { ...DERIVE, tcb: 0 }],
    ['a TCB with a leading zero', { ...DERIVE, tcb: '01' }],
  ])('answers a request with %s as malformed', (_, request) => {
    expect(ask(request)).toMatchObject({ id: ID, error: { code: 'malformed' } });
  });

  it.each([
    ['not JSON', 'hello'],
    ['half a request', JSON.stringify(REPORT).slice(9)],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['not an object', '[]'],
    ['without an id', JSON.stringify({ ...REPORT, id: undefined })],
    ['with an id of another form', JSON.stringify({ ...REPORT, id: 'a'.repeat(17) })],
  ])('ignores a line that is %s', (_, line) => {
    expect(answerLine(guest, Buffer.from(line))).toBeUndefined();
  });

  it('passes on why firmware refused, but tells the guest nothing of other failures', () => {
    const refused = Object.assign(new Error('no such VMPL'), { code: 'simulated-request' });
    expect(ask(REPORT, refusing(refused))).toEqual({
      id: ID,
      error: { code: 'refused', message: 'no such VMPL' },
    });
    expect(JSON.stringify(ask(DERIVE, refusing(new Error('/root/secret'))))).not.toContain('root');
    expect(ask(DERIVE, refusing(new Error('/root/secret')))).toMatchObject({
      error: { code: 'unavailable' },
    });
  });
});

it('answers any line with a valid answer or not at all', {
  timeout: FUZZ_TIMEOUT,
}, async () => {
  const almost = fc.record({
    base: fc.constantFrom(REPORT, DERIVE),
    name: fc.constantFrom('id', 'op', 'reportData', 'fields', 'tcb', 'vmpl', '__proto__'),
    value: fc.jsonValue(),
  });
  const line = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    almost.map(({ base, name, value }) => Buffer.from(JSON.stringify({ ...base, [name]: value }))),
  );
  const property = fc.property(line, (bytes) => {
    const answer = answerLine(guest, bytes);
    if (answer !== undefined) expect(answer.id).toMatch(/^[0-9a-f]{16}$/);
  });
  await fuzz(property);
});
