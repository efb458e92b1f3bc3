/**
 * States a decision in one sentence, which names the rule and the cause.
 *
 * @module
 */

import { quoted } from './artifact/problem.ts';
import type { Finding, RequirementResult, Signer } from './decision.ts';
import type { Requirement, Rule } from './policy.ts';

const MAX_NAMED = 3;

/** Rules count from 1 for people. */
export function ruleName(index: number, { pattern }: Rule): string {
  return `rule ${index + 1} (${quoted(pattern)})`;
}

export function noRule(repository: string): string {
  return repository === ''
    ? 'no rule of the image policy matches an image without a name'
    : `no rule of the image policy matches ${quoted(repository)}`;
}

export function denied(rule: string, reason: string | undefined): string {
  return `${rule} denies it${reason === undefined ? '' : `: ${quoted(reason)}`}`;
}

/** @param found signatures and attestations, of which none has been verified */
export function allowed(rule: string, found: number): string {
  const there =
    found === 0
      ? 'there are no signatures'
      : `${counted(found, 'signature')} or attestation${found === 1 ? ' is' : 's are'} there, not verified`;
  return `${rule} allows unsigned images; ${there}`;
}

export function notConfidential(rule: string): string {
  return `${rule} allows unsigned images for plain boxes alone: it does not say allowUnsignedConfidential`;
}

export function signed(rule: string, results: readonly RequirementResult[]): string {
  const signers = results.flatMap(({ findings }) =>
    findings.flatMap(({ accepted, signer }) => (accepted && signer ? [signerName(signer)] : [])),
  );
  return `${rule} holds: signed by ${listed([...new Set(signers)], 'and')}`;
}

/** Of the first requirement that does not hold. */
export function unmet(
  rule: string,
  requirement: Requirement,
  { signers, threshold, findings }: RequirementResult,
): string {
  const kind = requirement.attestation === undefined ? 'signature' : 'attestation';
  const type =
    requirement.attestation === undefined
      ? ''
      : ` of type ${quoted(requirement.attestation.predicateType)}`;
  const whose = listed(
    [
      ...requirement.keys.map(({ name }) => name),
      ...requirement.identities.map(({ text }) => text),
    ].map(shortened),
    'or',
  );
  const missing =
    signers === 0 && threshold === 1
      ? `no ${kind}${type} by ${whose}`
      : `${kind}s${type} by ${signers} of the ${threshold} distinct signers that are needed, of ${whose}`;
  return `${rule}: ${missing}; ${causes(findings, kind)}`;
}

function causes(findings: readonly Finding[], kind: string): string {
  const rejected = findings.filter(({ accepted }) => !accepted);
  if (findings.length === 0) return 'none was found';
  const found = `${counted(findings.length, kind)} ${findings.length === 1 ? 'was' : 'were'} found`;
  const messages = [...new Set(rejected.map(({ problem }) => problem?.message ?? ''))];
  const [only] = messages;
  if (only === undefined) return found;
  if (messages.length === 1) return `${found}: ${rejected.length === 1 ? '' : 'of each, '}${only}`;
  const more = messages.length - MAX_NAMED;
  const shown = messages.slice(0, MAX_NAMED).map((message, i) => `(${i + 1}) ${message}`);
  return `${found}: ${shown.join('; ')}${more > 0 ? `; and ${more} more causes` : ''}`;
}

function signerName(signer: Signer): string {
  return shortened(signer.kind === 'key' ? signer.name : `${signer.subject} (${signer.issuer})`);
}

function listed(names: readonly string[], last: 'and' | 'or'): string {
  if (names.length === 0) return 'nobody';
  const shown = names.slice(0, MAX_NAMED);
  const more = names.length - shown.length;
  const all = more > 0 ? [...shown, `${more} more`] : shown;
  const end = all.at(-1) ?? '';
  return all.length === 1 ? end : `${all.slice(0, -1).join(', ')} ${last} ${end}`;
}

/** Without quotes where the name is plain. */
function shortened(name: string): string {
  return /^[\w@%+=:,./() -]{1,200}$/.test(name) ? name : quoted(name);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
