import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decideTrust } from '../decide.ts';
import { attachmentOf } from '../testing/artifacts.ts';
import { IMAGE, signOneIn } from '../testing/one-signature.ts';
import { NOW, questionOf, requirementOf, requiring } from '../testing/policies.ts';
import { legacyLayer, type SignOptions } from '../testing/signatures.ts';
import { ISSUER, type SigstoreWorld, SUBJECT, sigstoreWorld } from '../testing/sigstore-world.ts';

let world: SigstoreWorld;
beforeAll(async () => {
  world = await sigstoreWorld({ clock: inSeconds(60) });
});

const sign = (options?: SignOptions, payload?: Buffer) => signOneIn(world, options, payload);

describe('annotations of cosign', () => {
  it(
    'finds the same signer or none when any annotation of cosign is changed',
    async () => {
      const parts = await sign({ stamped: true });
      const layer = legacyLayer(parts);
      const names = Object.keys(layer.annotations ?? {});
      const change = fc.record({
        name: fc.constantFrom(...names),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        by: fc.oneof(fc.string({ maxLength: 3 }), fc.base64String({ maxLength: 8 })),
        cut: fc.nat(4),
      });
      const requirement = requirementOf({
        identities: [{ issuer: ISSUER, matches: () => true, text: 'anybody' }],
        transparencyLog: 'required',
        trustMaterial: world.material,
      });
      await fuzz(
        fc.asyncProperty(change, async ({ name, at, by, cut }) => {
          const text = layer.annotations?.[name] ?? '';
          const index = Math.floor(at * text.length);
          const changed = text.slice(0, index) + by + text.slice(index + cut);
          const annotations = { ...layer.annotations, [name]: changed };
          const { requirements, verdict } = await decideTrust(
            questionOf(IMAGE, [attachmentOf(IMAGE, [{ ...layer, annotations }])]),
            requiring(requirement),
            NOW,
          );
          if (verdict === 'refused') return;
          expect(requirements[0]?.findings[0]?.signer).toEqual({
            kind: 'identity',
            issuer: ISSUER,
            subject: SUBJECT,
          });
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

function inSeconds(seconds: number): Date {
  return new Date((Math.floor(Date.now() / 1000) + seconds) * 1000);
}
