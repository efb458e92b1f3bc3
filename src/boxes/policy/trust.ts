/**
 * The interface of the deciders about images, and of their policies.
 *
 * @module
 */

import type { TrustDecision } from '../../trust/decision.ts';
import type { HandedOver } from '../../trust/policy/call-policies.ts';
import type { LoadedPolicy } from '../../trust/policy.ts';
import type { TrustQuestion } from '../../trust/question.ts';
import type { SharedWork } from '../../trust/shared-work.ts';

export interface Trust {
  /**
   * The policy of this installation, read anew.
   *
   * @throws A3sError where there is one that cannot be used
   */
  standing(): Promise<LoadedPolicy>;
  /** Takes a policy for later calls, and returns its id. @throws A3sError `policy-invalid` */
  handOver(policy: HandedOver): Promise<string>;
  /** A policy that a client handed over before. @throws A3sError `no-such-policy` */
  handedOver(id: string): LoadedPolicy;
  /** @param work shared by all decisions about one image in one call */
  decide(
    question: TrustQuestion,
    policy: LoadedPolicy,
    now: Date,
    work?: SharedWork,
  ): Promise<TrustDecision>;
}
