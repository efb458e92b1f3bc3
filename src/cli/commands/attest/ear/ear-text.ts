/**
 * An attestation result, for people and for programs.
 *
 * @module
 */
import type { Library } from '../load-library.ts';

type VerifiedEar = Awaited<ReturnType<Library['verifyEarJwt']>>;

/** The document of `attest ear --json`; its keys are stable. */
export function earDocument(ear: VerifiedEar): object {
  const { status, profile, verifier, issuedAt, expiresAt, nonce, submods } = ear;
  return {
    status,
    profile,
    verifier,
    issuedAt,
    expiresAt: expiresAt ?? null,
    nonce: nonce === undefined ? null : hex(nonce),
    submods: Object.fromEntries(
      [...submods].map(([name, { status: own, vector, policyIds, key }]) => [
        name,
        {
          status: own,
          vector,
          policyIds: policyIds ?? [],
          key: key === undefined ? null : Buffer.from(key).toString('base64'),
        },
      ]),
    ),
  };
}

/** The texts are the issuer's: no control character of them reaches a terminal. */
export function describeEar(library: Library, ear: VerifiedEar): string {
  const { verifier, profile, issuedAt, expiresAt } = ear;
  const submods = [...ear.submods].flatMap(([name, { status, vector, policyIds = [] }]) => [
    `${plainText(name)}: ${status}`,
    ...Object.entries(vector).map(
      ([claim, value]) => `  ${claim.padEnd(17)}  ${value}, ${library.tierOf(value)}`,
    ),
    ...policyIds.map((id) => `  ${'policy'.padEnd(17)}  ${plainText(id)}`),
  ]);
  const lines = [
    `Status:    ${ear.status}`,
    `Verifier:  ${plainText(verifier.developer)}, ${plainText(verifier.build)}`,
    `Profile:   ${profile}`,
    `Issued:    ${issuedAt.toISOString()}`,
    ...(expiresAt === undefined ? [] : [`Expires:   ${expiresAt.toISOString()}`]),
    ...submods,
  ];
  return `${lines.join('\n')}\n`;
}

/** Without a character that controls a terminal, or the direction of its text. */
export function plainText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
