/**
 * One signature of one image, made in a world of sigstore's services and decided about by its root.
 *
 * @module
 */
import { decideTrust } from '../decide.ts';
import type { Requirement } from '../policy.ts';
import { attachmentOf, PROVENANCE, simpleSigning, statementOf } from './artifacts.ts';
import { digestOf, identityOf, NOW, questionOf, requirementOf, requiring } from './policies.ts';
import {
  bundleJson,
  bundleLayers,
  legacyLayer,
  type Parts,
  type SignOptions,
  signIn,
} from './signatures.ts';
import { ISSUER, type SigstoreWorld, SUBJECT } from './sigstore-world.ts';

export const IMAGE = digestOf('an image');
export const PAYLOAD = simpleSigning(IMAGE);
export const STATEMENT = statementOf(IMAGE);
export const ATTESTATION = { predicateType: PROVENANCE, conditions: [] };

/** As cosign has always stored it, or as a bundle. */
export type Form = 'legacy' | 'bundle';

export async function decideIn(
  world: SigstoreWorld,
  parts: Parts,
  form: Form,
  requirement: Partial<Requirement> = {},
) {
  const layers = form === 'legacy' ? [legacyLayer(parts)] : bundleLayers(parts, bundleJson(parts));
  const wanted = requirementOf({
    identities: [identityOf(ISSUER, SUBJECT)],
    transparencyLog: 'required',
    trustMaterial: world.material,
    ...(parts.enveloped ? { attestation: ATTESTATION } : {}),
    ...requirement,
  });
  const attachment = attachmentOf(IMAGE, layers, form === 'legacy' ? 'tag' : 'referrer');
  const decision = await decideTrust(questionOf(IMAGE, [attachment]), requiring(wanted), NOW);
  const [finding] = decision.requirements[0]?.findings ?? [];
  return { ...decision, finding, code: finding?.problem?.code };
}

export async function signOneIn(
  world: SigstoreWorld,
  options: SignOptions = {},
  payload?: Buffer,
): Promise<Parts> {
  return await signIn(
    world,
    payload ?? (options.enveloped === true ? STATEMENT : PAYLOAD),
    options,
  );
}
