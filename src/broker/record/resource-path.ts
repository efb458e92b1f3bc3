/**
 * Names of tenants, resources and records. None needs an escape in a URL, in JSON or in SQL.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** A part of a path; never `.` or `..`, which clients resolve before they send it. */
const SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
const PARTS = 3;
const ANY = '*';

/** The tenant of clients that name none. */
export const DEFAULT_TENANT = 'default';

/** Whether it can be the name of a tenant, a policy, a grant or an administrator. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Whether it is `repository/type/tag`. */
export function isResourcePath(text: string): boolean {
  const parts = text.split('/');
  return parts.length === PARTS && parts.every((part) => SEGMENT.test(part));
}

/** Whether it is such a path, where `*` may stand for a whole part. */
export function isPathPattern(text: string): boolean {
  const parts = text.split('/');
  return parts.length === PARTS && parts.every((part) => part === ANY || SEGMENT.test(part));
}

export function matchesPattern(pattern: string, path: string): boolean {
  const parts = path.split('/');
  const wanted = pattern.split('/');
  return (
    parts.length === wanted.length &&
    wanted.every((part, index) => part === ANY || part === parts[index])
  );
}

/** @throws A3sError `invalid-argument` */
export function resourcePath(text: string): string {
  if (isResourcePath(text)) return text;
  throw new A3sError('invalid-argument', `Cannot use the resource path ${JSON.stringify(text)}`, {
    remedy: 'Write it as repository/type/tag, of letters, digits, dots, dashes and underscores.',
  });
}

/** @throws A3sError `invalid-argument` */
export function recordName(what: string, text: string): string {
  if (isName(text)) return text;
  throw new A3sError('invalid-argument', `Cannot use the ${what} ${JSON.stringify(text)}`, {
    remedy: 'Use up to 63 lower-case letters, digits and dashes.',
  });
}
