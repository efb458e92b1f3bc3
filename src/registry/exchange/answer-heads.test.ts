import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { startOfAnswer } from '../blobs/blob-download-answer.ts';
import { endOfRange, startedBy, withDigest } from '../blobs/started-upload.ts';
import { checkDigestHeader } from '../manifests/manifests.ts';

const URL_ASKED = new URL('https://registry.example/v2/team/app/blobs/uploads/');
const DIGEST: Digest = `sha256:${'a'.repeat(64)}`;
const BLOB = { digest: DIGEST, size: 100 };

/**
 * The result of `read`, or 'refused' when it throws `registry-failed`. Rethrows every other error.
 */
function orRefused<T>(read: () => T): T | 'refused' {
  try {
    return read();
  } catch (error) {
    if (error instanceof A3sError && error.code === 'registry-failed') return 'refused';
    throw error;
  }
}

const value = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.constantFrom('0', '100', '-1', '1e2', '0x10', ' 100', '100, 100', '99999999999999999999'),
  fc.constantFrom('bytes 10-99/100', 'bytes 10-99/*', 'bytes 0-99/100', 'bytes */100', '0-99'),
  fc.constantFrom('/upload', '?x', '//other.example/', 'javascript:alert(1)', 'http://u:p@h/'),
  fc.constantFrom(DIGEST, 'sha256:../../etc/passwd', 'identity', 'gzip'),
);
const headers = fc.dictionary(
  fc.constantFrom(
    ...['content-length', 'content-range', 'content-encoding', 'range', 'location'],
    ...['oci-chunk-min-length', 'docker-content-digest'],
  ),
  value,
);
const status = fc.constantFrom(200, 206, 416);

describe('the head of an answer', () => {
  fuzz.prop([status, headers, fc.constantFrom(0, 10)], fuzzRuns())(
    'reads the start of a blob from any head of an answer or refuses it',
    (status, headers, offset) => {
      const start = orRefused(() => startOfAnswer({ status, headers }, BLOB, offset, 'it'));
      if (start === 'refused') return;
      expect([0, offset, undefined]).toContain(start);
      if (status === 206) expect(headers['content-range']).toMatch(/^bytes 10-99\/(100|\*)$/);
    },
  );

  fuzz.prop([headers], fuzzRuns())(
    'reads a web address for an upload from any head of an answer or refuses it',
    (headers) => {
      const upload = orRefused(() => startedBy({ headers, url: URL_ASKED }, 'it'));
      if (upload === 'refused') return;
      expect(upload.location.protocol).toMatch(/^https?:$/);
      expect(upload.location.username + upload.location.password).toBe('');
      expect(upload.minChunk).toBeGreaterThanOrEqual(0);
      expect(withDigest(upload.location, DIGEST).searchParams.getAll('digest')).toContain(DIGEST);
    },
  );

  fuzz.prop([headers], fuzzRuns())(
    'reads the progress of an upload from any head of an answer or refuses it',
    (headers) => {
      const end = orRefused(() => endOfRange(headers, 'it'));
      if (end === 'refused' || end === undefined) return;
      expect(Number.isSafeInteger(end) && end > 0).toBe(true);
    },
  );

  fuzz.prop([headers], fuzzRuns())(
    'refuses any head of an answer with another digest',
    (headers) => {
      const said = headers['docker-content-digest'];
      const verdict = orRefused(() => checkDigestHeader(headers, DIGEST, 'it'));
      expect(verdict === 'refused').toBe(said !== undefined && said !== DIGEST);
    },
  );

  it('keeps the query of a location byte by byte', () => {
    const location = new URL('https://h.example/u?_state=a%3D%3D&x=%2F+y');
    expect(withDigest(location, DIGEST).search).toBe(
      `?_state=a%3D%3D&x=%2F+y&digest=${encodeURIComponent(DIGEST)}`,
    );
  });
});
