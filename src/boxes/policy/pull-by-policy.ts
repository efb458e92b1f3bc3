/**
 * Pulls an image, unless the image policy refuses it, and publishes what became of it.
 *
 * @module
 */
import { type PullRequest, type PullResult, pullImage } from '../../distribution/pull.ts';
import { familiarName } from '../../oci/reference.ts';
import type { Services } from '../services/services.ts';
import type { Trust } from './trust.ts';
import { refusalAttributes } from './trust-record.ts';

export type PullHost = Pick<Services, 'images' | 'registry' | 'events'> & {
  readonly trust: Trust;
};

/**
 * @param policyId of a policy that replaces the standing one for this call
 * @throws A3sError as `pullImage`; `policy-invalid` or `no-such-policy` before anything is asked of
 *   a registry
 */
export async function pullByPolicy(
  rt: PullHost,
  request: PullRequest,
  policyId?: string,
): Promise<PullResult> {
  const name = familiarName(request.reference);
  const policy = policyId === undefined ? await rt.trust.standing() : rt.trust.handedOver(policyId);
  const { images, registry } = rt;
  const pulled = await pullImage(
    {
      ...{ images, registry },
      decide: async (question) => {
        const decision = await rt.trust.decide(question, policy, new Date());
        if (decision.verdict === 'refused') {
          const attributes = refusalAttributes(name, decision);
          rt.events.publish('image', 'trust-refused', question.manifestDigest, attributes);
        }
        return decision;
      },
    },
    request,
  );
  rt.events.publish('image', 'pull', name, { name });
  return pulled;
}
