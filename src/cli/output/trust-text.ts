/**
 * Decisions about images, for people: the verdict, and rule by rule and signature by signature why.
 *
 * @module
 */
import type { Explanation } from '../../docker-api/a3s/trust.ts';
import { printable } from '../client/failure.ts';
import {
  isObject,
  numberOf,
  objectOf,
  objectsOf,
  type Received,
  stringOf,
  stringsOf,
} from '../client/json.ts';
import { wrap } from './wrap.ts';

/** Columns of a terminal. */
const WIDTH = 80;

const VERDICTS: Readonly<Record<string, string>> = {
  signed: 'Accepted, signed',
  unsigned: 'Accepted, unsigned',
  refused: 'Refused',
};

type Decision = Received<Explanation['decisions'][number]>;
type Rule = Received<Explanation['rules'][number]>;
type Wanted = Received<
  Extract<Explanation['rules'][number], { action: 'require' }>['require'][number]
>;
type Result = Received<Explanation['decisions'][number]['requirements'][number]>;
type Finding = NonNullable<Result['findings']>[number];

/** The decision alone. */
export function describeDecision(decision: Decision): string {
  return printable([...facts(decision), '', ...conclusion(decision), ''].join('\n'));
}

/**
 * What each rule of the policy made of the image, for every repository that it was held against.
 *
 * @param explanation `decisions`, and `rules` with what they expect
 */
export function describeExplanation(explanation: Received<Explanation>): string {
  const rules = objectsOf(explanation.rules);
  const lines = objectsOf(explanation.decisions).flatMap((decision, index) => [
    ...(index === 0 ? [...facts(decision), ''] : []),
    `${repositoryOf(decision)} is checked against the rules in turn, and the first that matches decides:`,
    '',
    ...rules.flatMap((rule, at) => ruleLines(rule, at, decision)),
    '',
    ...conclusion(decision),
    '',
  ]);
  return printable(lines.join('\n'));
}

function facts(decision: Decision): readonly string[] {
  const image = objectOf(decision.image);
  const policy = objectOf(decision.policy);
  return [
    `Image:      ${oneLine(stringOf(image.reference))}`,
    `Manifest:   ${stringOf(image.manifestDigest)}`,
    ...stringsOf(image.indexDigests).map((digest) => `Listed by:  ${digest}`),
    `Policy:     ${policyName(policy)}`,
    `            ${stringOf(policy.digest)}`,
  ];
}

function policyName(policy: NonNullable<Decision['policy']>): string {
  const path = stringOf(policy.path);
  if (path !== '') return oneLine(path);
  return policy.source === 'call' ? 'given with this call' : 'built in';
}

function conclusion(decision: Decision): readonly string[] {
  const verdict = stringOf(decision.verdict);
  return hanging(`${VERDICTS[verdict] ?? verdict}: `, stringOf(decision.reason), '');
}

function repositoryOf(decision: Decision): string {
  const repository = stringOf(objectOf(decision.image).repository);
  return repository === '' ? 'An image without a name' : repository;
}

function ruleLines(rule: Rule, at: number, decision: Decision): readonly string[] {
  const chosen = isObject(decision.rule) ? numberOf(decision.rule.index) : undefined;
  const name = `rule ${at + 1} (${oneLine(stringOf(rule.pattern))})`;
  if (chosen === undefined || at < chosen) return [`  - ${name}: does not match`];
  if (at > chosen) return [`  - ${name}: not looked at`];
  switch (rule.action) {
    case 'deny': {
      const reason = stringOf(rule.reason);
      return [`  ✗ ${name}: matches, and denies it${reason && `: ${oneLine(reason)}`}`];
    }
    case 'allowUnsigned':
      return decision.verdict === 'refused'
        ? [`  ✗ ${name}: matches, and allows unsigned images for plain boxes alone`]
        : [`  ✓ ${name}: matches, and allows unsigned images`];
    default: {
      const mark = decision.verdict === 'signed' ? '✓' : '✗';
      const results = objectsOf(decision.requirements);
      const expected = objectsOf(rule.require);
      return [
        `  ${mark} ${name}: matches, and every requirement has to be met`,
        ...expected.flatMap((wanted, index) => requirementLines(wanted, index, results[index])),
      ];
    }
  }
}

function requirementLines(
  wanted: Wanted,
  index: number,
  result: Result | undefined,
): readonly string[] {
  const { met, signers, threshold, findings } = objectOf(result);
  const found = objectsOf(findings);
  return [
    `      ${met === true ? '✓' : '✗'} requirement ${index + 1}: ` +
      `${numberOf(signers)} of ${numberOf(threshold)} signers`,
    ...expectations(wanted).flatMap((text, at) =>
      hanging(at === 0 ? 'expected: ' : '          ', text, ' '.repeat(10)),
    ),
    ...(found.length === 0 ? [`${' '.repeat(10)}found:    nothing of the kind`] : []),
    ...found.flatMap((finding) => findingLines(finding)),
  ];
}

function expectations(wanted: Wanted): readonly string[] {
  const keys = objectsOf(wanted.keys).map(
    ({ name, keyId }) => `key ${stringOf(name)} (SHA-256 ${stringOf(keyId)})`,
  );
  const identities = stringsOf(wanted.identities).map((text) => `identity ${text}`);
  const signers = [...keys, ...identities];
  const attestation = objectOf(wanted.attestation);
  const type = stringOf(attestation.predicateType);
  const annotations = Object.entries(objectOf(wanted.annotations));
  const reference = stringOf(wanted.dockerReference);
  return [
    type === '' ? 'a signature' : `an attestation of type ${type}`,
    ...stringsOf(attestation.conditions).map((text) => `for which holds: ${text}`),
    ...signers.map((text, at) => `${at === 0 ? 'by' : 'or'} ${text}`),
    ...annotations.map(([name, value]) => `with annotation ${name}=${stringOf(value)}`),
    ...(reference === 'repository' || reference === 'exact'
      ? [`whose docker-reference is the image's ${reference === 'exact' ? 'name' : 'repository'}`]
      : []),
    wanted.transparencyLog === 'none'
      ? 'no transparency log is asked'
      : 'on record in a transparency log',
  ];
}

function findingLines(finding: Finding): readonly string[] {
  const { artifact, subject, format, accepted, problem, predicateType } = finding;
  const signer = signerText(objectOf(finding.signer));
  const { code, message } = objectOf(problem);
  const log = stringOf(finding.logIndex);
  const time = stringOf(finding.signedAt);
  const rest = ' '.repeat(14);
  return [
    `${' '.repeat(10)}${accepted === true ? '✓' : '✗'} ${stringOf(format)} ${stringOf(artifact)}`,
    `${rest}of ${stringOf(subject)}`,
    ...(predicateType === undefined ? [] : hanging('type ', stringOf(predicateType), rest)),
    ...(signer === '' ? [] : hanging('signed by ', signer, rest)),
    ...(time === '' ? [] : [`${rest}at ${oneLine(time)}`]),
    ...(log === '' ? [] : [`${rest}entry ${oneLine(log)} of the transparency log`]),
    ...(problem === undefined ? [] : hanging(`${stringOf(code)}: `, stringOf(message), rest)),
  ];
}

function signerText(signer: NonNullable<Finding['signer']>): string {
  if (signer.kind === 'key') {
    return `key ${stringOf(signer.name)} (SHA-256 ${stringOf(signer.keyId)})`;
  }
  if (signer.kind !== 'identity') return '';
  return `${stringOf(signer.subject)} of ${stringOf(signer.issuer)}`;
}

/** Where the text has several lines, all begin below its first one. */
function hanging(start: string, text: string, indent: string): readonly string[] {
  const width = WIDTH - indent.length - start.length;
  return wrap(oneLine(text), width).map(
    (line, at) => `${indent}${at === 0 ? start : ' '.repeat(start.length)}${line}`,
  );
}

/** Policies and signatures are other people's text. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
