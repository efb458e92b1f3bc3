/**
 * From the text of an image policy to one that decides: keys read, roots loaded, conditions
 * compiled. A policy with any fault is not used at all.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { readPolicyDocument } from '@a3s-box/policies/document';
import {
  type ImagePolicy,
  type ImageRequirement,
  type ImageRule,
  matchesGlob,
  PolicyError,
  parseImagePolicy,
} from '@a3s-box/policies/image-policy';
import type { TrustMaterial } from '@sigstore/verify';
import type { Condition, LoadedPolicy, PolicyKey, Requirement, Rule } from '../policy.ts';
import { policyIdentity } from './identity-pattern.ts';
import { InvalidImagePolicy, type PolicyFault } from './invalid-image-policy.ts';
import { type PolicyMaterial, policyDigest, readMaterial } from './policy-document.ts';
import { type Materials, trustMaterials } from './trust-materials.ts';

export interface PolicySource {
  readonly source: LoadedPolicy['source'];
  /** For messages. */
  readonly path: string | undefined;
  /** YAML or JSON. */
  readonly text: string | Uint8Array;
  /** The directory to which file names in it are relative. */
  readonly directory: string;
}

export interface PolicyEnvironment {
  /** Directory for the metadata of TUF mirrors. */
  readonly tufCache: string;
}

/** @throws InvalidImagePolicy */
export async function loadPolicy(
  given: PolicySource,
  environment: PolicyEnvironment,
): Promise<LoadedPolicy> {
  return await loadParsedPolicy(parse(given), given, environment);
}

/** The same for one whose text has been read. @throws InvalidImagePolicy */
export async function loadParsedPolicy(
  policy: ImagePolicy,
  given: Omit<PolicySource, 'text'>,
  environment: PolicyEnvironment,
): Promise<LoadedPolicy> {
  const faults: PolicyFault[] = [];
  const fault = (path: string, message: string): void => void faults.push({ path, message });
  const material = await readMaterial(policy, {
    directory: given.directory,
    // A call's policy names the client's own files; the standing policy names the installation's.
    othersMayWrite: given.source === 'call',
    fault,
  });
  const materials = await trustMaterials(material.roots, environment.tufCache, fault);
  const compiler = hasConditions(policy) ? await import('../conditions/conditions.ts') : undefined;
  const rules: Rule[] = [];
  for (const [index, rule] of policy.images.entries()) {
    // Compiling a thousand conditions takes long.
    await setImmediate();
    const loader = new Loader(`images[${index}]`, { material, materials, compiler }, fault);
    rules.push(loadRule(rule, loader));
  }
  if (faults.length > 0) throw new InvalidImagePolicy(given.path, faults);
  return {
    source: given.source,
    path: given.path,
    digest: policyDigest(policy, material),
    rules,
    match: (repository) => firstMatch(rules, repository),
  };
}

/** Hosts have no case, and the rest of a canonical name is in lower case: patterns are too. */
function firstMatch(rules: readonly Rule[], repository: string): number | undefined {
  const name = repository.toLowerCase();
  const index = rules.findIndex(({ pattern }) => matchesGlob(pattern, name));
  return index < 0 ? undefined : index;
}

function parse({ path, text }: PolicySource): ImagePolicy {
  try {
    return parseImagePolicy(readPolicyDocument(text));
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const faults = error.problems.map(({ path: place, message, line, column }) => ({
      path: line === undefined ? place : `line ${line}, column ${column}`,
      message,
    }));
    throw new InvalidImagePolicy(path, faults, error);
  }
}

function loadRule(rule: ImageRule, loader: Loader): Rule {
  const { pattern } = rule;
  if ('require' in rule && rule.require !== undefined) {
    const require = rule.require.map((entry, at) => loader.requirement(entry, `require[${at}]`));
    return { pattern, action: 'require', require };
  }
  if ('deny' in rule && rule.deny !== undefined) {
    return { pattern, action: 'deny', reason: rule.deny === true ? undefined : rule.deny };
  }
  const confidential = 'allowUnsigned' in rule && rule.allowUnsignedConfidential === true;
  return { pattern, action: 'allowUnsigned', ...(confidential ? { confidential } : {}) };
}

/** Whether the compiler of conditions has to be loaded at all. */
function hasConditions({ images }: ImagePolicy): boolean {
  return images.some(
    (rule) =>
      'require' in rule &&
      rule.require?.some(({ attestation }) => (attestation?.conditions.length ?? 0) > 0),
  );
}

interface Parts {
  readonly material: PolicyMaterial;
  readonly materials: Materials;
  /** Set where a rule has conditions. */
  readonly compiler: typeof import('../conditions/conditions.ts') | undefined;
}

class Loader {
  readonly #path: string;
  readonly #material: PolicyMaterial;
  readonly #materials: Materials;
  readonly #compiler: Parts['compiler'];
  readonly #fault: (path: string, message: string) => void;

  constructor(path: string, parts: Parts, fault: (path: string, message: string) => void) {
    this.#path = path;
    this.#material = parts.material;
    this.#materials = parts.materials;
    this.#compiler = parts.compiler;
    this.#fault = fault;
  }

  requirement(entry: ImageRequirement, at: string): Requirement {
    const path = `${this.#path}.${at}`;
    const keys = this.#keys(entry);
    const identities = entry.identities.map(policyIdentity);
    this.#checkThreshold(entry, { keys, identities }, path);
    const { threshold, annotations, transparencyLog, dockerReference } = entry;
    return {
      ...{ keys, identities, threshold, annotations, transparencyLog, dockerReference },
      attestation: this.#attestation(entry, path),
      trustMaterial: this.#trustMaterial(entry.trustedRoot),
    };
  }

  #keys({ keys }: ImageRequirement): readonly PolicyKey[] {
    return keys.flatMap((text) => this.#material.keys.get(text) ?? []);
  }

  /** Two files may hold one key, which is one signer. */
  #checkThreshold(
    entry: ImageRequirement,
    { keys, identities }: Pick<Requirement, 'keys' | 'identities'>,
    path: string,
  ): void {
    // A file that could not be read is already a fault of its own.
    if (keys.length < entry.keys.length) return;
    if (entry.identities.some((identity) => 'subjectPattern' in identity)) return;
    const names = [...keys.map(({ keyId }) => keyId), ...identities.map(({ text }) => text)];
    const signers = new Set(names).size;
    if (entry.threshold <= signers) return;
    this.#fault(
      `${path}.threshold`,
      `expected at most ${signers}, the number of different keys and identities, found ${entry.threshold}`,
    );
  }

  #attestation({ attestation }: ImageRequirement, path: string): Requirement['attestation'] {
    if (attestation === undefined) return undefined;
    const { predicateType } = attestation;
    const conditions = attestation.conditions.flatMap((text, at) =>
      this.#condition(text, `${path}.attestation.conditions[${at}]`),
    );
    return { predicateType, conditions };
  }

  #condition(text: string, path: string): readonly Condition[] {
    if (this.#compiler === undefined)
      throw new TypeError('Cannot compile: nothing was loaded for it');
    const { compileCondition, conditionFault } = this.#compiler;
    try {
      return [compileCondition(text)];
    } catch (error) {
      this.#fault(path, `cannot use this condition: ${conditionFault(error)}`);
      return [];
    }
  }

  #trustMaterial(name: string): () => Promise<TrustMaterial> {
    // Missing where its fault is already reported: the policy is then not used.
    return this.#materials.get(name) ?? (() => Promise.reject(new Error(`no root ${name}`)));
  }
}
