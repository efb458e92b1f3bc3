import { describe, expect, it } from 'vitest';
import type { Attachment } from '../images/attachments/attachment.ts';
import { decideTrust } from './decide.ts';
import { TrustDecision } from './decision.ts';
import type { Requirement } from './policy.ts';
import { attestedBy, PROVENANCE, signedBy, statementOf } from './testing/artifacts.ts';
import { digestOf, keyOf, NOW, questionOf, requirementOf, requiring } from './testing/policies.ts';
import { pair } from './testing/sigstore-world.ts';

const IMAGE = digestOf('an image');
const OTHER = digestOf('another image');
const RULE = 'rule 1 ("registry.example:5000/team/**")';
const [alice, eve] = [pair(), pair()];
const ALICE = keyOf('alice.pub', alice.publicKey);

async function decide(
  attachments: readonly Attachment[],
  parts: Partial<Requirement> = { keys: [ALICE] },
  question: Parameters<typeof questionOf>[2] = {},
) {
  const policy = requiring(requirementOf(parts));
  const decision = await decideTrust(questionOf(IMAGE, attachments, question), policy, NOW);
  expect(TrustDecision.parse(decision)).toEqual(decision);
  const problems = decision.requirements.flatMap(({ findings }) =>
    findings.flatMap(({ problem }) => (problem === undefined ? [] : [problem.code])),
  );
  return { ...decision, problems };
}

describe('attestations', () => {
  const failure = (statement: unknown) =>
    JSON.stringify(statement).includes('"builder":"ours"') ? undefined : 'the builder is not ours';
  const attestation = {
    predicateType: PROVENANCE,
    conditions: [{ text: 'predicate.builder == "ours"', failure }],
  };
  const parts = { keys: [ALICE], attestation };

  it('accepts an attestation by its type, subject, signer and conditions', async () => {
    const statement = statementOf(IMAGE, { predicate: { builder: 'ours' } });
    const decision = await decide([attestedBy(alice.privateKey, IMAGE, statement)], parts);
    expect(decision.verdict).toBe('signed');
    expect(decision.requirements[0]?.findings[0]).toMatchObject({ predicateType: PROVENANCE });
  });

  it.each([
    ['other-predicate-type', statementOf(IMAGE, { predicateType: `${PROVENANCE}.1` })],
    ['other-digest', statementOf(OTHER, { predicate: { builder: 'ours' } })],
    ['condition-failed', statementOf(IMAGE, { predicate: { builder: 'theirs' } })],
    ['malformed', Buffer.from('{"_type":"https://in-toto.io/Statement/v9","subject":[]}')],
    ['malformed', Buffer.from('[]')],
  ])('refuses an attestation with the problem %s', async (code, statement) => {
    const decision = await decide([attestedBy(alice.privateKey, IMAGE, statement)], parts);
    expect(decision).toMatchObject({ verdict: 'refused', problems: [code] });
  });

  it('evaluates no conditions on an attestation by an unknown key', async () => {
    const seen: unknown[] = [];
    const conditions = [{ text: 'x', failure: (one: unknown) => String(seen.push(one)) }];
    const decision = await decide([attestedBy(eve.privateKey, IMAGE, statementOf(IMAGE))], {
      keys: [ALICE],
      attestation: { ...attestation, conditions },
    });
    expect(decision.problems).toEqual(['no-key-matches']);
    expect(seen).toEqual([]);
  });

  it('refuses an attestation where the policy requires a reference or annotations', async () => {
    const statement = statementOf(IMAGE, { predicate: { builder: 'ours' } });
    const found = [attestedBy(alice.privateKey, IMAGE, statement)];
    const named = await decide(found, { ...parts, dockerReference: 'repository' });
    expect(named.problems).toEqual(['other-reference']);
    const annotated = await decide(found, { ...parts, annotations: { env: 'prod' } });
    expect(annotated.problems).toEqual(['annotation-differs']);
  });

  it('refuses an attestation that has a member in another spelling as well', async () => {
    const text = statementOf(IMAGE, { predicate: { builder: 'ours' } }).toString();
    const doubled = Buffer.from(text.replace('{', '{"PredicateType":"x",'));
    const decision = await decide([attestedBy(alice.privateKey, IMAGE, doubled)], parts);
    expect(decision.problems).toEqual(['malformed']);
  });

  it('does not accept an attestation as a signature, nor a signature as an attestation', async () => {
    const attested = attestedBy(alice.privateKey, IMAGE, statementOf(IMAGE));
    expect(await decide([attested])).toMatchObject({ verdict: 'refused', problems: [] });
    const signed = signedBy(alice.privateKey, IMAGE);
    const decision = await decide([signed], parts);
    expect(decision.reason).toBe(
      `${RULE}: no attestation of type "${PROVENANCE}" by alice.pub; none was found`,
    );
  });
});
