/**
 * Prints the meaning of an image policy in sentences.
 *
 * @module
 */
import type { ImagePolicy, ImageRequirement, ImageRule } from '@a3s-box/policies/image-policy';
import { printable } from '../../client/failure.ts';

type Loaded = Awaited<ReturnType<typeof import('#image-policy').loadParsedPolicy>>;
type LoadedRule = Loaded['rules'][number];
type LoadedRequirement = Extract<LoadedRule, { action: 'require' }>['require'][number];

/** The digits of a key's id that identify it. */
const SHOWN_ID = 12;

/** Each rule with its effect, then the default. */
export function describeImagePolicy(policy: ImagePolicy, loaded: Loaded): string {
  const rules = policy.images.flatMap((rule, index) => [
    `${index + 1}. ${rule.pattern}`,
    ...meaningOf(rule, loaded.rules[index]).map((line) => `   ${line}`),
  ]);
  const rest = policy.images.some(({ pattern }) => pattern === '**')
    ? []
    : ['', 'An image that no rule matches is refused.'];
  return printable(['The first rule that matches decides:', ...rules, ...rest, ''].join('\n'));
}

/** The rule that decides for a repository, and its effect. */
export function describeMatch(policy: ImagePolicy, loaded: Loaded, repository: string): string {
  const index = loaded.match(repository);
  const rule = index === undefined ? undefined : policy.images[index];
  if (index === undefined || rule === undefined) {
    return printable(`No rule matches ${repository}: its images are refused.\n`);
  }
  const lines = meaningOf(rule, loaded.rules[index]).map((line) => `   ${line}`);
  const head = `Rule ${index + 1} (${rule.pattern}) decides for ${repository}:`;
  return printable(`${[head, ...lines].join('\n')}\n`);
}

function meaningOf(rule: ImageRule, loaded: LoadedRule | undefined): readonly string[] {
  if ('allowUnsigned' in rule && rule.allowUnsigned !== undefined) {
    return rule.allowUnsignedConfidential === true
      ? ['Boots, signed or not, confidential boxes too: nothing is verified.']
      : ['Boots, signed or not: nothing is verified. Confidential boxes are refused.'];
  }
  if ('deny' in rule && rule.deny !== undefined) {
    return [rule.deny === true ? 'Never boots.' : `Never boots: ${rule.deny}.`.replace('..', '.')];
  }
  const entries = 'require' in rule && rule.require !== undefined ? rule.require : [];
  const ready = loaded?.action === 'require' ? loaded.require : [];
  const head = entries.length === 1 ? 'Boots if' : 'Boots if all of these hold:';
  return [head, ...entries.flatMap((entry, at) => bullet(describeEntry(entry, ready[at])))];
}

function bullet([first = '', ...more]: readonly string[]): readonly string[] {
  return [`- ${first}`, ...more.map((line) => `  ${line}`)];
}

function describeEntry(
  entry: ImageRequirement,
  loaded: LoadedRequirement | undefined,
): readonly string[] {
  const signers = [
    ...(loaded?.keys ?? []).map(describeKey),
    ...entry.identities.map(describeIdentity),
  ];
  const what = whatOf(entry);
  const [only] = signers;
  const head =
    signers.length === 1 && entry.threshold === 1
      ? [`${what} by ${only}`]
      : [`${what} by ${countOf(entry.threshold)} of`, ...signers.map((signer) => `  ${signer}`)];
  return [...head, ...conditionsOf(entry), ...annotationsOf(entry), logOf(entry)];
}

function whatOf({ attestation }: ImageRequirement): string {
  return attestation === undefined
    ? 'it is signed'
    : `it has an attestation of the type ${attestation.predicateType}, signed`;
}

function countOf(threshold: number): string {
  return threshold === 1 ? 'at least one' : `at least ${threshold} different ones`;
}

function describeKey({ name, keyId }: LoadedRequirement['keys'][number]): string {
  // A key inside the policy has no file, and a number in place of a name.
  const named = /^key \d+$/.test(name) ? name : `the key ${name}`;
  return `${named} (SHA-256 ${keyId.slice(0, SHOWN_ID)}…)`;
}

function describeIdentity(identity: ImageRequirement['identities'][number]): string {
  const { issuer } = identity;
  if (!('subjectPattern' in identity) || identity.subjectPattern === undefined) {
    return `${'subject' in identity ? identity.subject : ''}, certified by ${issuer}`;
  }
  return /^\*+$/.test(identity.subjectPattern)
    ? `any identity certified by ${issuer}`
    : `any identity like ${identity.subjectPattern} certified by ${issuer}`;
}

function conditionsOf({ attestation }: ImageRequirement): readonly string[] {
  const conditions = attestation?.conditions ?? [];
  return conditions.length === 0
    ? []
    : ['and of which is true:', ...conditions.map((text) => `  ${text.replaceAll(/\s+/g, ' ')}`)];
}

function annotationsOf({ annotations, dockerReference }: ImageRequirement): readonly string[] {
  const pairs = Object.entries(annotations).map(([name, value]) => `${name}=${value}`);
  const names = {
    ignore: [],
    repository: ['and the signature names the repository of the image'],
    exact: ['and the signature names the image with its tag'],
  };
  return [
    ...(pairs.length === 0 ? [] : [`and the signature says ${pairs.join(', ')}`]),
    ...names[dockerReference],
  ];
}

function logOf({ transparencyLog, trustedRoot, identities }: ImageRequirement): string {
  if (transparencyLog === 'required') {
    return `and a transparency log of the trusted root "${trustedRoot}" has it on record.`;
  }
  return identities.length === 0
    ? 'and no transparency log is asked.'
    : `and no transparency log is asked: a timestamp of the trusted root "${trustedRoot}" says when.`;
}
