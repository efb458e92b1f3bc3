/**
 * Identities of certificates, as a policy names them.
 *
 * A subject is compared exactly or with a pattern of all of it, in which `*` does not cross a slash
 * and `**` does; see `glob.ts` of the policies for why it is no regular expression.
 *
 * @module
 */
import { type ImageIdentity, matchesGlob } from '@a3s-box/policies/image-policy';
import type { PolicyIdentity } from '../policy.ts';

/** Bound on subjects: anybody may have made the certificate. */
const MAX_SUBJECT = 4096;

export function policyIdentity(identity: ImageIdentity): PolicyIdentity {
  const { issuer } = identity;
  if (!('subjectPattern' in identity)) {
    const { subject } = identity;
    return { issuer, matches: (text) => text === subject, text: `${subject} of ${issuer}` };
  }
  const { subjectPattern } = identity;
  return {
    issuer,
    matches: (text) => text.length <= MAX_SUBJECT && matchesGlob(subjectPattern, text),
    text: `${subjectPattern} of ${issuer}`,
  };
}
