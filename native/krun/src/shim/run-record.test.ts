import { describe, expect, it } from 'vitest';
import { RECORD_BYTES, readRecord, writeLine } from './run-record.ts';

const ENTERING = {
  state: 'entering',
  library: 'libkrun.so.1',
  atLeast: '1.19.0',
  shutdown: false,
} as const;

describe('a run record', () => {
  it('reads an empty record while nothing was written', () => {
    expect(readRecord('')).toEqual({ entering: undefined, failed: undefined, status: undefined });
  });

  it('reads what was written, and no status while the microVM runs', () => {
    expect(readRecord(writeLine(ENTERING))).toMatchObject({
      entering: ENTERING,
      status: undefined,
    });
  });

  it('takes the status from the line of the monitor, whatever the microVM wrote before it', () => {
    const forged = writeLine({ state: 'ended', status: 0 });
    const text = `${writeLine(ENTERING)}${forged}${forged}{"state":"ended","status":137}\n`;
    expect(readRecord(text).status).toBe(137);
  });

  it.each([
    ['a line that is no JSON', '{"state":\n'],
    ['an unknown state', '{"state":"other"}\n'],
    ['an unknown member', '{"state":"ended","status":1,"more":1}\n'],
    ['a status out of range', '{"state":"ended","status":256}\n'],
    ['half a line', '{"state":"ended","sta'],
  ])('passes over %s', (_, text) => {
    expect(readRecord(`${writeLine(ENTERING)}${text}`)).toMatchObject({
      entering: ENTERING,
      status: undefined,
    });
  });

  it('reads a record that was filled up from its end', () => {
    const text = `${'x'.repeat(4 * RECORD_BYTES)}\n${writeLine({ state: 'ended', status: 3 })}`;
    expect(readRecord(text).status).toBe(3);
  });
});
