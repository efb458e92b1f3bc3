/**
 * Finds identities in an image policy that are valid, and that no certificate ever has.
 *
 * @module
 */
import type { ImageIdentity, ImagePolicy } from '@a3s-box/policies/image-policy';

export interface PolicyWarning {
  readonly path: string;
  readonly message: string;
}

const NO_EXPRESSIONS =
  'there are no regular expressions, and "^", "$" and "\\" stand for themselves';
const NO_SPACES = 'it has a space, which no certificate has there';

/** All warnings, in the order of the policy. */
export function identityWarnings({ images }: ImagePolicy): readonly PolicyWarning[] {
  return images.flatMap((rule, index) =>
    ('require' in rule ? (rule.require ?? []) : []).flatMap(({ identities }, entry) =>
      identities.flatMap((identity, at) => {
        const path = `images[${index}].require[${entry}].identities[${at}]`;
        return faultsOf(identity).map(([key, value, reason]) => ({
          path: `${path}.${key}`,
          message: `${JSON.stringify(value)} can never match: ${reason}`,
        }));
      }),
    ),
  );
}

type Fault = readonly [key: string, value: string, reason: string];

function faultsOf(identity: ImageIdentity): readonly Fault[] {
  const { issuer } = identity;
  const faults = (key: string, value: string, reasons: readonly (string | false)[]): Fault[] =>
    reasons.flatMap((reason) => (reason === false ? [] : [[key, value, reason] as const]));
  return [
    ...faults('issuer', issuer, [
      hasSpace(issuer) && NO_SPACES,
      issuer.includes('*') && 'an issuer is compared exactly, and "*" stands for itself',
      isExpression(issuer) && NO_EXPRESSIONS,
    ]),
    ...('subject' in identity && identity.subject !== undefined
      ? faults('subject', identity.subject, [
          // The name of a user at a domain (NAME!DOMAIN) is any text.
          hasSpace(identity.subject) && !identity.subject.includes('!') && NO_SPACES,
          identity.subject.includes('*') &&
            'a subject is compared exactly, and "*" stands for itself: use subjectPattern',
          isExpression(identity.subject) && NO_EXPRESSIONS,
        ])
      : []),
    ...('subjectPattern' in identity && identity.subjectPattern !== undefined
      ? faults('subjectPattern', identity.subjectPattern, [
          isExpression(identity.subjectPattern) && NO_EXPRESSIONS,
        ])
      : []),
  ];
}

function hasSpace(text: string): boolean {
  return /\s/.test(text);
}

/** Characters that occur neither in a URL nor in an address. */
function isExpression(text: string): boolean {
  return /^\^|\$$|\\/.test(text);
}
