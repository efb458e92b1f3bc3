/**
 * The application policy: which confidential services an application has, and which attestation
 * policy holds for the boxes of each.
 *
 * @module
 */
import { PolicyError } from '../policy-error.ts';
import { problemsOf } from '../policy-problems.ts';
import { closed, converted, oneOf } from '../policy-values.ts';

export { PolicyError } from '../policy-error.ts';

/** The value of `schema` in a policy. */
export const APPLICATION_POLICY_SCHEMA = 'a3s-box/application-policy/v1';

const MAX_SERVICES = 256;
const APPLICATION = /^[a-z0-9][a-z0-9_-]{0,254}$/;
const SERVICE = /^[A-Za-z0-9._-]{1,128}$/;
/** It has no slash, and is no directory. */
const FILE = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,160}$/;

export interface ApplicationPolicy {
  readonly schema: typeof APPLICATION_POLICY_SCHEMA;
  /** The project's name in Compose. */
  readonly application: string;
  /**
   * By the name of a service, the file of its attestation policy, in the directory of this policy.
   * At least one.
   */
  readonly services: ReadonlyMap<string, string>;
}

const document = closed({
  schema: oneOf([APPLICATION_POLICY_SCHEMA]),
  application: converted('the name of a project', (value) => matching(APPLICATION, value)),
  services: converted('an object of file names, by the names of services', servicesOf),
});

/** @throws PolicyError `policy-invalid`, with everything that is wrong */
export function parseApplicationPolicy(input: unknown): ApplicationPolicy {
  const result = document.safeParse(input);
  if (result.success) return result.data;
  throw new PolicyError('policy-invalid', problemsOf(input, result.error.issues));
}

function matching(pattern: RegExp, value: unknown): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

function servicesOf(value: unknown): ReadonlyMap<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const services = new Map<string, string>();
  for (const [service, file] of Object.entries(value)) {
    const named = matching(FILE, file);
    if (named === undefined || !SERVICE.test(service)) return undefined;
    services.set(service, named);
  }
  return services.size > 0 && services.size <= MAX_SERVICES ? services : undefined;
}
