/**
 * Trust without cryptography, for tests: what counts as a signature is an attachment whose manifest
 * says `signed`.
 *
 * @module
 */
import type { Trust } from '../../boxes/policy/trust.ts';
import { A3sError } from '../../errors.ts';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Downloads } from '../../registry/downloads.ts';
import type { Registry } from '../../registry/registry.ts';
import type { TrustDecision } from '../../trust/decision.ts';
import type { HandedOver } from '../../trust/policy/call-policies.ts';
import type { LoadedPolicy, Rule } from '../../trust/policy.ts';
import type { TrustQuestion } from '../../trust/question.ts';

const ANY_SIGNER: Extract<Rule, { action: 'require' }>['require'] = [
  {
    keys: [],
    identities: [],
    threshold: 1,
    annotations: {},
    attestation: undefined,
    transparencyLog: 'none',
    dockerReference: 'ignore',
    trustMaterial: () => Promise.reject(new Error('there is none in tests')),
  },
];

export const allow = (pattern: string): Rule => ({ pattern, action: 'allowUnsigned' });
/** The same for confidential boxes too. */
export const allowConfidential = (pattern: string): Rule => ({
  pattern,
  action: 'allowUnsigned',
  confidential: true,
});
export const deny = (pattern: string): Rule => ({ pattern, action: 'deny', reason: undefined });
export const signedOnly = (pattern: string): Rule => ({
  pattern,
  action: 'require',
  require: ANY_SIGNER,
});

/** The same as a rule whose signatures have to name the tag. */
export const signedByTag = (pattern: string): Rule => ({
  pattern,
  action: 'require',
  require: ANY_SIGNER.map((each) => ({ ...each, dockerReference: 'exact' })),
});

/** A pattern is a repository, a repository's beginning and `**`, or `**`. */
export function testPolicy(
  rules: readonly Rule[],
  source: LoadedPolicy['source'] = 'file',
): LoadedPolicy {
  return {
    source,
    path: source === 'file' ? '/etc/a3s-box/image-policy.yaml' : undefined,
    digest: `sha256:${'f'.repeat(64)}`,
    rules,
    match: (repository) => {
      const index = rules.findIndex(({ pattern }) =>
        pattern.endsWith('**')
          ? repository.startsWith(pattern.slice(0, -2))
          : repository === pattern,
      );
      return index < 0 ? undefined : index;
    },
  };
}

/** Everything may be unsigned, until a test says something else. */
export class FakeTrust implements Trust {
  rules: readonly Rule[] = [allow('**')];
  /** Why the standing policy cannot be used. */
  malformed: A3sError | undefined;
  readonly policies = new Map<string, LoadedPolicy>();
  /** Every question that was decided. */
  readonly asked: TrustQuestion[] = [];

  async standing(): Promise<LoadedPolicy> {
    if (this.malformed !== undefined) throw this.malformed;
    return testPolicy(this.rules);
  }

  async handOver({ text }: HandedOver): Promise<string> {
    if (!text.startsWith('images:')) {
      throw new A3sError('policy-invalid', 'Cannot use the image policy: it has no images');
    }
    const id = `sha256:${text.length.toString(16).padStart(64, '0')}`;
    this.policies.set(id, testPolicy([deny('**')], 'call'));
    return id;
  }

  handedOver(id: string): LoadedPolicy {
    const policy = this.policies.get(id);
    if (policy === undefined) throw new A3sError('no-such-policy', `No such image policy: ${id}`);
    return policy;
  }

  async decide(question: TrustQuestion, policy: LoadedPolicy, now: Date): Promise<TrustDecision> {
    this.asked.push(question);
    const index = policy.match(question.repository);
    const rule = index === undefined ? undefined : policy.rules[index];
    const signed = question.attachments.some(({ manifest }) => manifest.toString() === 'signed');
    const action = rule?.action ?? 'deny';
    const open =
      rule?.action === 'allowUnsigned' && (rule.confidential === true || !question.confidential);
    const verdict = open ? 'unsigned' : action === 'require' && signed ? 'signed' : 'refused';
    const { reference, repository, manifestDigest, indexDigests } = question;
    const { source, path, digest } = policy;
    return {
      verdict,
      at: now.toISOString(),
      image: { reference, repository, manifestDigest, indexDigests: [...indexDigests] },
      policy: { source, digest, ...(path === undefined ? {} : { path }) },
      ...(rule === undefined || index === undefined
        ? {}
        : { rule: { index, pattern: rule.pattern, action } }),
      requirements:
        action === 'require'
          ? [{ index: 0, met: signed, signers: signed ? 1 : 0, threshold: 1, findings: [] }]
          : [],
      reason: `${repository} is ${verdict} by rule ${rule?.pattern ?? 'none'}`,
    };
  }
}

/** A signature, as `FakeTrust` takes it for one. */
export function signatureFor(subject: Digest): Attachment {
  return {
    subject,
    attachedBy: 'tag',
    digest: `sha256:${'a'.repeat(64)}`,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    manifest: Buffer.from('signed'),
    blobs: new Map(),
  };
}

/** No host can be reached. */
export const NO_DOWNLOADS: Downloads = {
  send: ({ url }) =>
    Promise.reject(new A3sError('registry-unreachable', `Cannot reach ${url.host}`)),
  close: async () => undefined,
};

/** A registry that nobody can reach. */
export const NO_REGISTRY: Registry = {
  repository: (name) => {
    throw new A3sError('registry-unreachable', `Cannot reach the registry of ${name}`);
  },
  login: (domain) =>
    Promise.reject(new A3sError('registry-unreachable', `Cannot reach the registry ${domain}`)),
  close: async () => undefined,
};
