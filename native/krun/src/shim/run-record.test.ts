import { describe, expect, it } from 'vitest';
import { RECORD_BYTES, readRecord, writeLine } from './run-record.ts';

const ENTERING = {
  state: 'entering',
  library: 'libkrun.so.1',
  atLeast: '1.19.0',
  shutdown: false,
  missing: [],
} as const;

const ENDED = '{"status":137}\n';

describe('a run record', () => {
  it('reads an empty record while nothing was written', () => {
    const nothing = { entering: undefined, failed: undefined, status: undefined };
    expect(readRecord('', '')).toEqual(nothing);
  });

  it('reads no status while the microVM runs', () => {
    const record = readRecord(writeLine(ENTERING), '');
    expect(record).toMatchObject({ entering: ENTERING, status: undefined });
  });

  it.each([
    ['the line of the monitor', '{"status":137}\n'],
    ['a line as an older monitor wrote it', '{"state":"ended","status":137}\n'],
  ])('takes no status from the file of the shim, in which is %s', (_, forged) => {
    const text = `${writeLine(ENTERING)}${forged}`;
    expect(readRecord(text, '')).toMatchObject({ entering: ENTERING, status: undefined });
    expect(readRecord(text, '{"status":3}\n').status).toBe(3);
  });

  it.each([
    ['a line that is no JSON', '{"state":\n'],
    ['an unknown state', '{"state":"other"}\n'],
    ['an unknown member', '{"state":"failed","code":"a","message":"b","more":1}\n'],
    ['half a line', '{"state":"failed","co'],
  ])('passes over %s of the shim, and has the status of the monitor', (_, text) => {
    const record = readRecord(`${writeLine(ENTERING)}${text}`, ENDED);
    expect(record).toEqual({ entering: ENTERING, failed: undefined, status: 137 });
  });

  it.each([
    ['a status out of range', '{"status":256}\n'],
    ['an unknown member', '{"status":1,"more":1}\n'],
    ['half a line', '{"sta'],
  ])('reads no status when the file of the monitor has %s', (_, text) => {
    expect(readRecord('', text).status).toBeUndefined();
  });

  it('reads a file that was filled up from its end', () => {
    const text = `${'x'.repeat(4 * RECORD_BYTES)}\n${writeLine(ENTERING)}`;
    expect(readRecord(text, ENDED)).toMatchObject({ entering: ENTERING, status: 137 });
  });
});
