/**
 * Policies that clients upload for a call, by id: the digest of their self-contained form.
 *
 * The most recently used ones stay in memory. A client whose policy was dropped uploads it again.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LoadedPolicy } from '../policy.ts';
import { loadPolicy, type PolicyEnvironment } from './load-policy.ts';

const MAX_POLICIES = 64;

export interface HandedOver {
  readonly text: string;
  /** Directory of the client's file: file names in the policy are relative to it. */
  readonly directory: string;
  /** Of the client's file, for messages. */
  readonly path?: string | undefined;
}

export class CallPolicies {
  readonly #environment: PolicyEnvironment;
  /** The most recently used policy is last. */
  readonly #policies = new Map<string, LoadedPolicy>();

  constructor(environment: PolicyEnvironment) {
    this.#environment = environment;
  }

  /** @throws A3sError `policy-invalid` */
  async add({ text, directory, path }: HandedOver): Promise<Digest> {
    const policy = await loadPolicy({ source: 'call', path, text, directory }, this.#environment);
    this.#keep(policy);
    for (const oldest of this.#policies.keys()) {
      if (this.#policies.size <= MAX_POLICIES) break;
      this.#policies.delete(oldest);
    }
    return policy.digest;
  }

  /** @throws A3sError `no-such-policy` */
  get(id: string): LoadedPolicy {
    const policy = this.#policies.get(id);
    if (policy === undefined) {
      throw new A3sError('no-such-policy', `No such image policy: ${id.slice(0, 100)}`, {
        remedy: 'Hand it over again with POST /a3s/v1/image-policies; the server forgets policies.',
      });
    }
    this.#keep(policy);
    return policy;
  }

  #keep(policy: LoadedPolicy): void {
    this.#policies.delete(policy.digest);
    this.#policies.set(policy.digest, policy);
  }
}
