/**
 * Challenges one box, and decides about it.
 *
 * @module
 */
import { acceptedBox, type BoxVerdict, rejectedBox } from './box-verdict.ts';
import { writeEvidence } from './evidence-out.ts';
import { inputErrorOf, isRejection } from './open-session.ts';
import { type SessionRequest, withSession } from './with-session.ts';

/**
 * @param out directory for the evidence
 * @throws InputError where it cannot be decided, A3sError of the server
 */
export async function attestTarget(request: SessionRequest, out?: string): Promise<BoxVerdict> {
  const { context, library, target, trust } = request;
  try {
    const peer = await withSession(request, async (session) => session.peer);
    const files =
      out === undefined ? undefined : await writeEvidence(context, library, out, peer, trust);
    return acceptedBox(target, peer, files);
  } catch (error) {
    const simulated = trust.policy.tee === 'simulated';
    if (isRejection(library, error)) return rejectedBox(target, error, simulated);
    throw error instanceof library.RatlsError ? inputErrorOf(error) : error;
  }
}
