/**
 * The self-contained form of an image policy: keys and roots stand in it instead of the names of
 * their files. Two policies with the same content have one digest.
 *
 * @module
 */
import { resolve } from 'node:path';
import {
  type ImagePolicy,
  type ImageRequirement,
  type ImageRule,
  isPem,
  MAX_MATERIAL,
  type TrustedRootSource,
} from '@a3s-box/policies/image-policy';
import { canonicalJson } from '../../canonical-json.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { PolicyKey } from '../policy.ts';
import { readTrustFile } from './policy-files.ts';
import { readPolicyKey } from './policy-keys.ts';

/** Files of one policy, each counted once. */
const MAX_FILES = 1024;
/** Digits and letters that stand in a message. */
const SHOWN = 200;

/** A trusted root, with the content of its file. */
export type RootText =
  | { readonly inline: string }
  | { readonly tuf: string; readonly root: string };

/** Files of a policy, read. */
export interface PolicyMaterial {
  /** By what the policy writes in `keys`. */
  readonly keys: ReadonlyMap<string, PolicyKey>;
  readonly roots: ReadonlyMap<string, RootText>;
}

export interface MaterialRules {
  /** The directory to which file names are relative. */
  readonly directory: string;
  /** Whether files that another user may write are accepted, since the caller chose them. */
  readonly othersMayWrite: boolean;
  /** Called with each fault and its path in the policy. */
  readonly fault: (path: string, message: string) => void;
}

/**
 * Reads the files that a policy refers to. Unreadable ones are reported to `rules.fault` and left
 * out.
 */
export async function readMaterial(
  policy: ImagePolicy,
  rules: MaterialRules,
): Promise<PolicyMaterial> {
  const reader = new MaterialReader(rules);
  for (const [name, source] of Object.entries(policy.trustedRoots)) {
    await reader.root(name, source);
  }
  for (const [index, rule] of policy.images.entries()) {
    if (!('require' in rule) || rule.require === undefined) continue;
    for (const [entry, { keys }] of rule.require.entries()) {
      for (const [at, key] of keys.entries()) {
        await reader.key(key, `images[${index}].require[${entry}].keys[${at}]`);
      }
    }
  }
  return reader;
}

class MaterialReader implements PolicyMaterial {
  readonly keys = new Map<string, PolicyKey>();
  readonly roots = new Map<string, RootText>();
  readonly #rules: MaterialRules;
  readonly #files = new Map<string, Promise<string>>();
  #written = 0;

  constructor(rules: MaterialRules) {
    this.#rules = rules;
  }

  async key(text: string, path: string): Promise<void> {
    if (this.keys.has(text)) return;
    const isWritten = isPem(text);
    await this.#attempt(path, isWritten ? '' : text, async () => {
      const pem = isWritten ? text : await this.#file(text);
      if (isWritten) this.#written += 1;
      this.keys.set(text, readPolicyKey(isWritten ? `key ${this.#written}` : text, pem));
    });
  }

  async root(name: string, source: TrustedRootSource): Promise<void> {
    const path = `trustedRoots.${name}`;
    if ('inline' in source) this.roots.set(name, { inline: source.inline });
    else if ('tuf' in source) {
      await this.#attempt(path, source.root, async () => {
        this.roots.set(name, { tuf: source.tuf, root: await this.#file(source.root) });
      });
    } else {
      await this.#attempt(path, source.file, async () => {
        this.roots.set(name, { inline: await this.#file(source.file) });
      });
    }
  }

  async #attempt(path: string, file: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const where = file === '' ? '' : `cannot use ${JSON.stringify(file.slice(0, SHOWN))}: `;
      this.#rules.fault(path, `${where}${message}`);
    }
  }

  #file(name: string): Promise<string> {
    const { directory, othersMayWrite } = this.#rules;
    const path = resolve(directory, name);
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    if (this.#files.size >= MAX_FILES) {
      throw new Error(`a policy has at most ${MAX_FILES} files`);
    }
    const reading = readTrustFile(path, { maxBytes: MAX_MATERIAL, othersMayWrite }).then(decode);
    this.#files.set(path, reading);
    return reading;
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error('it is no text', { cause: error });
  }
}

/** SHA-256 of the policy with its material in it, as canonical JSON. */
export function policyDigest(policy: ImagePolicy, material: PolicyMaterial): Digest {
  const document = {
    schema: 'a3s-box/image-policy/v1',
    trustedRoots: Object.fromEntries(material.roots),
    images: policy.images.map((rule) => selfContained(rule, material)),
  };
  return digestOf(canonicalJson(document));
}

function selfContained(rule: ImageRule, material: PolicyMaterial): object {
  if (!('require' in rule) || rule.require === undefined) return rule;
  const require = rule.require.map((entry) => ({ ...entry, keys: keysOf(entry, material) }));
  return { ...rule, require };
}

/** Includes the names: decisions contain them, so policies that differ in names differ. */
function keysOf({ keys }: ImageRequirement, material: PolicyMaterial): readonly object[] {
  return keys.flatMap((text) => {
    const key = material.keys.get(text);
    if (key === undefined) return [];
    const spki = key.key.export({ type: 'spki', format: 'der' }).toString('base64');
    return [{ name: key.name, spki }];
  });
}
