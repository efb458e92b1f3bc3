/**
 * Checks that an answer is the requested part of a blob (RFC 9110, 14 and 15.3.7).
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { contentLength, type Exchange, requirePlain } from '../exchange/exchange.ts';
import { broken, quoted } from '../exchange/repository-context.ts';
import type { BlobDescriptor } from '../registry.ts';

const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/;
const UNSATISFIED = /^bytes \*\/(\d{1,15})$/;

/**
 * Where in the blob the body of an answer starts; undefined when the registry serves no ranges
 * after all.
 *
 * @param offset first byte that was asked for; 0 for the whole blob
 * @throws A3sError `registry-failed` for an answer that contradicts the descriptor or the request
 */
export function startOfAnswer(
  { status, headers }: Pick<Exchange, 'status' | 'headers'>,
  { size }: BlobDescriptor,
  offset: number,
  what: string,
): number | undefined {
  switch (status) {
    case 404:
      throw new A3sError('not-in-registry', `Cannot find ${what}, although a manifest lists it`, {
        remedy: "Push the image again, or ask the registry's operator.",
      });
    case 416:
      checkUnsatisfied(headers['content-range'], size, what);
      if (offset > 0) return undefined;
      throw broken(what, 'the registry refuses a range that was not asked for');
    case 206:
      if (offset === 0)
        throw broken(what, 'the registry sends a part, and all of it was asked for');
      checkRange(headers['content-range'], offset, size, what);
      break;
  }
  const start = status === 206 ? offset : 0;
  requirePlain(headers, what);
  const length = contentLength(headers, what);
  if (length !== undefined && length !== size - start) {
    throw broken(what, `the registry sends ${length} bytes, and it has to be ${size - start}`);
  }
  return start;
}

function checkRange(text: string | undefined, offset: number, size: number, what: string): void {
  const [, first, last, total] = CONTENT_RANGE.exec(text ?? '') ?? [];
  const right =
    Number(first) === offset &&
    Number(last) === size - 1 &&
    (total === '*' || Number(total) === size);
  if (right) return;
  const asked = `bytes ${offset}-${size - 1}/${size}`;
  throw broken(what, `the registry sends ${quoted(text ?? 'no range')} instead of "${asked}"`);
}

function checkUnsatisfied(text: string | undefined, size: number, what: string): void {
  const [, total] = UNSATISFIED.exec(text ?? '') ?? [];
  if (total === undefined || Number(total) === size) return;
  throw broken(what, `the registry says it has ${total} bytes, and it has to be ${size}`);
}
