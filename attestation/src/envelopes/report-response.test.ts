import { describe, expect, it } from 'vitest';
import { sampleReport } from '../report/testing/sample.ts';
import { evidenceFromReportResponse } from './report-response.ts';

/** A response: status, report size, reserved bytes, the report, padding. */
function response(size = 4000, words: readonly number[] = [0, 1184]): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  bytes.set(sampleReport(), 32);
  return bytes;
}

function changed(at: number, bytes = response()): Uint8Array {
  bytes[at] = 1;
  return bytes;
}

describe('evidenceFromReportResponse', () => {
  it.each([1216, 1280, 4000])('reads the report from a report response of %i bytes', (size) => {
    expect(evidenceFromReportResponse(response(size))).toEqual({ report: sampleReport() });
  });

  it.each<[string, Uint8Array, string, string]>([
    ['a byte too many', response(1217), 'the wrong length', '1217'],
    ['the report alone', sampleReport(), 'the wrong length', '1184'],
    ['nothing', new Uint8Array(), 'the wrong length', '0'],
    ['an error status', response(4000, [0x16, 1184]), 'there is no report', '22'],
    ['another size', response(4000, [0, 1185]), 'another size', '1185'],
    ['a nonzero reserved byte', changed(8), 'around the report', '4000'],
    ['a nonzero reserved byte at the end of the header', changed(31), 'around the report', '4000'],
    ['something behind the report', changed(1216), 'around the report', '4000'],
    ['something at the end', changed(1279, response(1280)), 'around the report', '1280'],
  ])('refuses a report response with %s', (_, bytes, message, found) => {
    expect(() => evidenceFromReportResponse(bytes)).toThrow(
      expect.objectContaining({
        code: 'report-response-malformed',
        message: expect.stringContaining(message),
        found,
      }),
    );
  });

  it('throws a TypeError for a report response that is not bytes', () => {
    const read: (bytes: never) => unknown = evidenceFromReportResponse;
    expect(() => read(null as never)).toThrow(TypeError);
  });
});
