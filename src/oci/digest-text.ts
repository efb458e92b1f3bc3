/**
 * A content digest in a document.
 *
 * @module
 */
import * as z from 'zod';
import { type Digest, isDigest } from './digest.ts';

export const digestText = z.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  {
    error: 'must be sha256: and 64 hexadecimal digits',
  },
);
