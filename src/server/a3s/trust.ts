/**
 * `/a3s/v1/images/{name}/trust`: the decision about an image, and the reasons.
 *
 * @module
 */
import type * as z from 'zod';
import {
  type JudgeHost,
  judgeEachName,
  judgeImage,
  type TrustOptions,
  type TrustSubject,
} from '../../boxes/policy/authorize-image.ts';
import { namesUsed } from '../../boxes/policy/trust-names.ts';
import { Explanation, type Rule } from '../../docker-api/a3s/trust.ts';
import type { ImageStore } from '../../images/image.ts';
import { TrustDecision } from '../../trust/decision.ts';
import type { LoadedPolicy, Requirement } from '../../trust/policy.ts';
import { imagePolicy, trustOptions } from '../docker/images/trust-query.ts';
import { flag, noBody, query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { type Route, route } from '../http/route.ts';

const access = 'owner';
/** `confidential`: the decision for a confidential box, whose image must be signed. */
const trustQuery = query({ imagePolicy, refresh: flag, confidential: flag });

export const TRUST_ROUTES: readonly Route<JudgeHost>[] = [
  route('GET', '/a3s/v1/images/:name{.+}/trust', {
    access,
    summary: 'Decide about an image, without creating a box',
    answers: { 200: TrustDecision },
    query: trustQuery,
    body: noBody,
    handler: async ({ params, query, headers }, rt) => {
      const options = optionsOf(query, headers);
      return json(await judgeImage(rt, await subjectOf(rt, params['name'] ?? '', query), options));
    },
  }),
  route('GET', '/a3s/v1/images/:name{.+}/trust/explanation', {
    access,
    summary: 'Explain the decision about an image, for each of its names and rules',
    answers: { 200: Explanation },
    query: trustQuery,
    body: noBody,
    handler: async ({ params, query, headers }, rt) => {
      const options = optionsOf(query, headers);
      const subject = await subjectOf(rt, params['name'] ?? '', query);
      const { policy, decisions } = await judgeEachName(rt, subject, options);
      return json({ decisions, rules: policy.rules.map((rule) => shown(rule)) });
    },
  }),
];

/** The request changes nothing. */
function optionsOf(query: z.output<typeof trustQuery>, headers: Headers): TrustOptions {
  return trustOptions({ ...query, refreshSignatures: query.refresh }, headers, false);
}

async function subjectOf(
  rt: { images: ImageStore },
  reference: string,
  { confidential }: { readonly confidential: boolean },
): Promise<TrustSubject> {
  const image = await rt.images.resolve(reference);
  return { image, reference, names: namesUsed(reference, image), confidential };
}

/** What the rule expects, for people. */
function shown(rule: LoadedPolicy['rules'][number]): Rule {
  const { pattern, action } = rule;
  switch (action) {
    case 'require':
      return { pattern, action, require: rule.require.map(requirement) };
    case 'deny':
      return { pattern, action, ...(rule.reason === undefined ? {} : { reason: rule.reason }) };
    case 'allowUnsigned':
      return { pattern, action, ...(rule.confidential === true ? { confidential: true } : {}) };
  }
}

function requirement(wanted: Requirement) {
  const { keys, identities, threshold, annotations, transparencyLog, dockerReference } = wanted;
  const { attestation } = wanted;
  return {
    keys: keys.map(({ name, keyId }) => ({ name, keyId })),
    identities: identities.map(({ text }) => text),
    ...{ threshold, annotations, transparencyLog, dockerReference },
    ...(attestation === undefined
      ? {}
      : {
          attestation: {
            predicateType: attestation.predicateType,
            conditions: attestation.conditions.map(({ text }) => text),
          },
        }),
  };
}
