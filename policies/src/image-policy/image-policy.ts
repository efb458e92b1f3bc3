/**
 * The image policy: who must have signed an image before it may boot.
 *
 * Rules stand in an order, and the first whose pattern matches the canonical repository decides. An
 * image for which no rule matches is refused. An obvious mistake is an error: a familiar name
 * instead of a canonical one, a rule that an earlier one hides, a threshold that cannot be reached.
 *
 * @module
 */
import * as z from 'zod/mini';
import { plainCopy } from '../plain-copy.ts';
import { PolicyError } from '../policy-error.ts';
import { problemsOf } from '../policy-problems.ts';
import { closed, integer, list, oneOf } from '../policy-values.ts';
import {
  denial,
  imagePattern,
  keyText,
  line,
  MAX_MATERIAL,
  mirrorUrl,
  predicateType,
  someOf,
  strings,
  subjectPattern,
  text,
  yes,
} from './image-policy-values.ts';
import type { ImagePolicy } from './image-rules.ts';
import {
  confidentialWidens,
  exactlyOne,
  hasSigner,
  noHiddenRule,
  reachableThreshold,
  rootsThatExist,
  signaturesAlone,
  sourceOfRoot,
  subjectOnce,
} from './image-rules-checks.ts';

export { PolicyError, type PolicyErrorCode, type PolicyProblem } from '../policy-error.ts';
export { globCovers, matchesGlob } from './glob.ts';
export { isPem, MAX_MATERIAL } from './image-policy-values.ts';
export type {
  AllowUnsignedRule,
  DenyRule,
  ImageAttestation,
  ImageIdentity,
  ImagePolicy,
  ImageRequirement,
  ImageRule,
  RequireRule,
  TrustedRootSource,
} from './image-rules.ts';

/** The value of `schema` in a policy that states one. */
export const IMAGE_POLICY_SCHEMA = 'a3s-box/image-policy/v1';

/** Longest of a condition, in characters. */
export const MAX_CONDITION = 4096;

const MAX_RULES = 1000;
const MAX_ENTRIES = 16;
const MAX_SIGNERS = 64;
const MAX_CONDITIONS = 16;
const MAX_ANNOTATIONS = 64;
const MAX_ROOTS = 16;

const fileName = line("a file's name", 4096);

const identity = closed({
  issuer: line('the issuer of the identity, such as https://issuer.example', 2048),
  subject: z.optional(line('the subject exactly as the certificate has it', 2048)),
  subjectPattern: z.optional(subjectPattern),
}).check(subjectOnce);

const attestation = closed({
  predicateType,
  conditions: z._default(
    list(text('a condition in CEL, such as size(predicate.x) > 0', MAX_CONDITION), MAX_CONDITIONS),
    [],
  ),
});

const requirement = closed({
  keys: z._default(list(keyText, MAX_SIGNERS), []),
  identities: z._default(list(identity, MAX_SIGNERS), []),
  threshold: z._default(integer(1, MAX_SIGNERS * 2), 1),
  annotations: z._default(strings(MAX_ANNOTATIONS, 4096), {}),
  attestation: z.optional(attestation),
  transparencyLog: z._default(oneOf(['required', 'none']), 'required'),
  trustedRoot: z._default(line('the name of a trusted root', 128), 'public'),
  dockerReference: z._default(oneOf(['ignore', 'repository', 'exact']), 'ignore'),
}).check(hasSigner, reachableThreshold, signaturesAlone);

const rule = closed({
  pattern: imagePattern,
  require: z.optional(someOf(requirement, MAX_ENTRIES)),
  deny: z.optional(denial),
  allowUnsigned: z.optional(yes),
  allowUnsignedConfidential: z.optional(yes),
}).check(exactlyOne, confidentialWidens);

const rootSource = closed({
  file: z.optional(fileName),
  inline: z.optional(text('the JSON of a trusted root', MAX_MATERIAL)),
  tuf: z.optional(mirrorUrl),
  root: z.optional(fileName),
}).check(sourceOfRoot);

const document = closed({
  schema: z.optional(oneOf([IMAGE_POLICY_SCHEMA])),
  trustedRoots: z._default(roots(), {}),
  images: someOf(rule, MAX_RULES),
}).check(noHiddenRule, rootsThatExist);

const ROOT_NAME = /^(?!public$)[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

function roots() {
  const own = z.pipe(
    z.unknown(),
    z.transform((input, context): Readonly<Record<string, unknown>> => {
      const copy = plainCopy(input);
      const refuse = (message: string, path: string[] = []): never => {
        context.issues.push({ code: 'custom', message, path, input });
        return z.NEVER;
      };
      const names = Object.keys(copy ?? {});
      if (copy === undefined || names.length > MAX_ROOTS) {
        return refuse(`a mapping of at most ${MAX_ROOTS} trusted roots by name`);
      }
      const bad = names.find((name) => !ROOT_NAME.test(name));
      if (bad === undefined) return copy;
      return refuse(
        'a root whose name has letters, digits, ".", "_", "-" and is not public, which is shipped',
        [bad],
      );
    }),
  );
  return z.pipe(own, z.record(z.string(), rootSource));
}

/**
 * The policy that a document states, with every default written out; frozen, and independent of the
 * document. It also takes what it returned.
 *
 * @throws PolicyError `policy-invalid`, with all problems of the document
 */
export function parseImagePolicy(input: unknown): ImagePolicy {
  const own = plainCopy(input);
  const result = document.safeParse(own ?? input);
  if (!result.success) {
    throw new PolicyError('policy-invalid', problemsOf(own ?? input, result.error.issues));
  }
  const { trustedRoots, images } = result.data;
  // The checks ensure that each rule, identity and root is of exactly one kind.
  return deepFreeze({ trustedRoots, images } as ImagePolicy);
}

/**
 * Whether a document means to be an image policy: by its schema, or by a key that only such a one
 * has, misspelt or not.
 */
export function isImagePolicyDocument(input: unknown): boolean {
  const own = plainCopy(input) ?? {};
  return (
    own['schema'] === IMAGE_POLICY_SCHEMA ||
    Object.keys(own).some((key) => /^(images?|trusted[-_]?roots?)$/i.test(key))
  );
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
