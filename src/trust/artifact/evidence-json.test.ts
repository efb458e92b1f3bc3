import { describe, expect, it } from 'vitest';
import { compileCondition } from '../conditions/conditions.ts';
import { decideTrust } from '../decide.ts';
import type { Requirement } from '../policy.ts';
import {
  attachmentOf,
  attestedBy,
  envelopeOf,
  PROVENANCE,
  signedBy,
  simpleSigning,
  statementOf,
} from '../testing/artifacts.ts';
import { digestOf, keyOf, NOW, questionOf, requirementOf, requiring } from '../testing/policies.ts';
import { pair } from '../testing/sigstore-world.ts';

const IMAGE = digestOf('an image');
const BOM = Buffer.from('\ufeff');
const alice = pair();

async function decide(
  attachment: ReturnType<typeof attachmentOf>,
  parts: Partial<Requirement> = {},
) {
  const requirement = requirementOf({ keys: [keyOf('alice.pub', alice.publicKey)], ...parts });
  const decision = await decideTrust(questionOf(IMAGE, [attachment]), requiring(requirement), NOW);
  const problem = decision.requirements[0]?.findings[0]?.problem;
  return { verdict: decision.verdict, ...problem };
}

const decideOn = (payload: Buffer) => decide(signedBy(alice.privateKey, IMAGE, payload));

/** The decision on a statement whose predicate has the member `x`, written as `number`. */
function decideAbout(number: string, condition: string) {
  const text = statementOf(IMAGE, { predicate: { x: 'NUMBER' } }).toString();
  const statement = Buffer.from(text.replace('"NUMBER"', number));
  const conditions = [compileCondition(condition)];
  const attestation = { predicateType: PROVENANCE, conditions };
  return decide(attestedBy(alice.privateKey, IMAGE, statement), { attestation });
}

describe('a byte order mark', () => {
  it('refuses a payload that was signed with a byte order mark', async () => {
    const payload = simpleSigning(IMAGE);
    expect(await decideOn(payload)).toEqual({ verdict: 'signed' });
    for (const marked of [Buffer.concat([BOM, payload]), Buffer.concat([payload, BOM])]) {
      expect(await decideOn(marked)).toMatchObject({
        verdict: 'refused',
        code: 'malformed',
        message: expect.stringContaining('cannot read its payload: it is not JSON'),
      });
    }
  });

  it('refuses a statement or an envelope with a byte order mark', async () => {
    const attestation = { predicateType: PROVENANCE, conditions: [] };
    const statement = statementOf(IMAGE);
    const marked = attestedBy(alice.privateKey, IMAGE, Buffer.concat([BOM, statement]));
    const envelope = Buffer.concat([BOM, envelopeOf(alice.privateKey, statement)]);
    const mediaType = 'application/vnd.dsse.envelope.v1+json';
    for (const attachment of [marked, attachmentOf(IMAGE, [{ mediaType, content: envelope }])]) {
      expect(await decide(attachment, { attestation })).toMatchObject({
        verdict: 'refused',
        code: 'malformed',
      });
    }
  });
});

describe('a number', () => {
  it.each(['1e999', '-1e999', '1E+400', `1${'0'.repeat(400)}`, '[0, {"y": 2e308}]'])(
    'refuses an attestation with a number that is not finite: %s',
    async (number) => {
      // Each condition would hold if the number were read as Infinity.
      for (const condition of ['predicate.x > 7', 'predicate.x != 7', 'true']) {
        expect(await decideAbout(number, condition)).toMatchObject({
          verdict: 'refused',
          code: 'number-not-finite',
          message: expect.stringMatching(
            /^cannot read its statement: the number "\S+" in it is too large to be finite$/,
          ),
        });
      }
    },
  );

  it.each(['1e308', '1e-999', '9007199254740993', '"1e999"'])(
    'reads an attestation with a finite number or text: %s',
    async (number) => {
      expect(await decideAbout(number, 'predicate.x != 7')).toEqual({ verdict: 'signed' });
    },
  );

  it('refuses a payload with a number that is not finite, even if no rule uses it', async () => {
    const text = simpleSigning(IMAGE, { optional: { x: 'NUMBER' } }).toString();
    expect(await decideOn(Buffer.from(text.replace('"NUMBER"', '1')))).toEqual({
      verdict: 'signed',
    });
    expect(await decideOn(Buffer.from(text.replace('"NUMBER"', '1e999')))).toMatchObject({
      verdict: 'refused',
      code: 'number-not-finite',
    });
  });
});
