/**
 * The trusted roots that an image policy names, each ready to be loaded.
 *
 * @module
 */
import type { TrustMaterial } from '@sigstore/verify';
import { A3sError } from '../../errors.ts';
import { checkFirstRoot, fetchTufRoot } from '../roots/tuf-root.ts';
import type { PolicyMaterial } from './policy-document.ts';

/** By the name that the policy has for it. */
export type Materials = ReadonlyMap<string, () => Promise<TrustMaterial>>;

/**
 * Local roots are read now, so that a bad one is found. Mirrors are asked when a decision needs
 * them.
 */
export async function trustMaterials(
  roots: PolicyMaterial['roots'],
  tufCache: string,
  fault: (path: string, message: string) => void,
): Promise<Materials> {
  const materials = new Map<string, () => Promise<TrustMaterial>>();
  materials.set(
    'public',
    once(async () => (await import('../roots/trusted-roots.ts')).publicRoot()),
  );
  for (const [name, root] of roots) {
    try {
      if ('tuf' in root) {
        checkFirstRoot(root.root);
        const source = { mirror: root.tuf, root: root.root };
        // Loaded anew for each decision: a cached policy must not keep a root that the mirror has
        // revoked.
        materials.set(name, () => mirrored(name, fetchTufRoot(source, tufCache)));
        continue;
      }
      const { readTrustedRoot } = await import('../roots/trusted-roots.ts');
      const material = readTrustedRoot(root.inline);
      materials.set(name, async () => material);
    } catch (error) {
      fault(`trustedRoots.${name}`, messageOf(error));
    }
  }
  return materials;
}

async function mirrored(name: string, fetching: Promise<string>): Promise<TrustMaterial> {
  try {
    const { readTrustedRoot } = await import('../roots/trusted-roots.ts');
    return readTrustedRoot(await fetching);
  } catch (error) {
    throw new A3sError(
      'policy-invalid',
      `Cannot use the trusted root ${name} of the image policy: ${messageOf(error)}`,
      { remedy: 'Make the mirror reachable, or name a file as trusted root.', cause: error },
    );
  }
}

/** A failed load is tried again the next time. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
