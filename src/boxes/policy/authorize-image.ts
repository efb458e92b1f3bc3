/**
 * Decides whether an image may be used. Every create and every start of a box calls
 * `authorizeImage` first.
 *
 * @module
 */

import { linkedSignal } from '../../async/linked-signal.ts';
import { Semaphore } from '../../async/semaphore.ts';
import { freshAttachments } from '../../distribution/refresh.ts';
import { A3sError } from '../../errors.ts';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Image } from '../../images/image.ts';
import { canonicalRepository, parseReference } from '../../oci/reference.ts';
import type { Credentials } from '../../registry/registry.ts';
import type { TrustDecision } from '../../trust/decision.ts';
import type { LoadedPolicy } from '../../trust/policy.ts';
import type { TrustQuestion } from '../../trust/question.ts';
import { SharedWork } from '../../trust/shared-work.ts';
import type { Services } from '../services/services.ts';
import { storedAttachments } from './stored-attachments.ts';
import type { Trust } from './trust.ts';
import { refusalAttributes } from './trust-record.ts';

/**
 * The number of decisions at once. Each may have 64 MiB of signatures in memory, several times
 * over.
 */
const slots = new Semaphore(4);

interface Refresh {
  readonly credentials: Credentials | undefined;
  /** Whether fetched signatures replace the stored ones. */
  readonly keep: boolean;
}

/** What one call asks for beside the decision. */
export interface TrustOptions {
  /** Id of a policy that replaces the standing one for this call. */
  readonly policyId?: string | undefined;
  /** Fetches signatures from the registry, which has to answer. */
  readonly refresh?: Refresh | undefined;
}

/** An image, and its names here. */
export interface TrustSubject {
  readonly image: Image;
  /** As the caller named it. */
  readonly reference: string;
  /**
   * Canonical names that rules are matched against; each must be accepted. Empty: an image without
   * a name.
   */
  readonly names: readonly string[];
  /** Whether it is for a confidential box. */
  readonly confidential: boolean;
}

/** The image is refused, and nothing may boot from it. */
export class UntrustedImage extends A3sError {
  readonly decision: TrustDecision;

  constructor(decision: TrustDecision, confidential: boolean) {
    super('image-untrusted', decision.reason, {
      remedy: `See why with: ${explanation(decision, confidential)}`,
    });
    this.decision = decision;
  }
}

/** The command that explains the decision, by the policy that decided. */
function explanation(
  { policy: { source, path }, image: { reference } }: TrustDecision,
  confidential: boolean,
): string {
  const flag = source === 'call' ? `--image-policy ${path ?? 'FILE'} ` : '';
  return `a3s-box trust explain ${confidential ? '--confidential ' : ''}${flag}${reference}`;
}

/** What a decision about an image needs of the server. */
export type JudgeHost = Pick<Services, 'images' | 'registry' | 'shutdown'> & {
  readonly trust: Trust;
};

/** What a decision about an image needs of the server, and the report of a refusal. */
export type AuthorizationHost = JudgeHost & Pick<Services, 'events'>;

/**
 * Decides by the image's manifest digest, from stored signatures that are verified again.
 *
 * @throws UntrustedImage when it is refused; A3sError when the policy cannot be used, or signatures
 *   were to be fetched and could not be
 */
export async function authorizeImage(
  rt: AuthorizationHost,
  subject: TrustSubject,
  options: TrustOptions = {},
): Promise<TrustDecision> {
  const decision = await judgeImage(rt, subject, options);
  if (decision.verdict === 'signed' || decision.verdict === 'unsigned') return decision;
  const attributes = refusalAttributes(subject.reference, decision);
  rt.events.publish('image', 'trust-refused', subject.image.id, attributes);
  throw new UntrustedImage(decision, subject.confidential);
}

/**
 * The decision, whatever it is. This does not authorize anything.
 *
 * @throws A3sError as `authorizeImage`, except for a refusal
 */
export async function judgeImage(
  rt: JudgeHost,
  subject: TrustSubject,
  options: TrustOptions = {},
): Promise<TrustDecision> {
  const { decisions } = await judgeEachName(rt, subject, options);
  const [first, ...others] = decisions;
  if (first === undefined) throw new TypeError('an image is judged by one name at least');
  return others.reduce((a, b) => (RANK[b.verdict] > RANK[a.verdict] ? b : a), first);
}

/**
 * One decision for each repository that the image is judged by, and the policy that made them.
 *
 * @throws A3sError as `judgeImage`
 */
export async function judgeEachName(
  rt: JudgeHost,
  subject: TrustSubject,
  options: TrustOptions = {},
): Promise<{ readonly policy: LoadedPolicy; readonly decisions: readonly TrustDecision[] }> {
  const { policyId, refresh } = options;
  const policy = policyId === undefined ? await rt.trust.standing() : rt.trust.handedOver(policyId);
  const fresh = refresh === undefined ? undefined : await freshOf(rt, subject, refresh);
  return await slots.run(async () => {
    const attachments = fresh ?? (await storedAttachments(rt.images, subject.image));
    const work = new SharedWork();
    const decisions: TrustDecision[] = [];
    for (const question of questions(subject, policy, attachments)) {
      decisions.push(await rt.trust.decide(question, policy, new Date(), work));
    }
    return { policy, decisions };
  });
}

async function freshOf(
  rt: JudgeHost,
  { image, names }: TrustSubject,
  { credentials, keep }: Refresh,
): Promise<readonly Attachment[]> {
  const subjects = [image.manifestDigest, ...image.indexDigests];
  const { signal, unlink } = linkedSignal(rt.shutdown);
  try {
    const fresh = await freshAttachments(rt.registry, { names, subjects, credentials, signal });
    // A signature that the registry no longer has is removed here too.
    if (keep) await rt.images.attach(subjects, fresh);
    return fresh;
  } finally {
    unlink();
  }
}

/** The worst verdict counts. */
const RANK = { signed: 0, unsigned: 1, refused: 2 } as const;

/**
 * One question for each repository. Where a signature has to name the tag that it is for, one for
 * each name.
 */
function questions(
  { image, reference, names, confidential }: TrustSubject,
  policy: LoadedPolicy,
  attachments: readonly Attachment[],
): readonly TrustQuestion[] {
  const { manifestDigest, indexDigests } = image;
  const asked = new Map<string, TrustQuestion>();
  for (const { repository, tag } of names.length === 0 ? [NAMELESS] : names.map(partsOf)) {
    const key = comparesTags(policy, repository) ? `${repository}:${tag}` : repository;
    if (asked.has(key)) continue;
    const what = { reference, repository, tag };
    asked.set(key, { ...what, manifestDigest, indexDigests, attachments, confidential });
  }
  return [...asked.values()];
}

type NameParts = Pick<TrustQuestion, 'repository' | 'tag'>;

const NAMELESS: NameParts = { repository: '', tag: undefined };

function partsOf(name: string): NameParts {
  const reference = parseReference(name);
  return { repository: canonicalRepository(reference), tag: reference.tag };
}

function comparesTags(policy: LoadedPolicy, repository: string): boolean {
  const index = policy.match(repository);
  const rule = index === undefined ? undefined : policy.rules[index];
  return (
    rule?.action === 'require' &&
    rule.require.some(({ dockerReference }) => dockerReference === 'exact')
  );
}
