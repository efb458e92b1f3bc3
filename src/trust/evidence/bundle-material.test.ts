import { beforeAll, describe, expect, it } from 'vitest';
import { decideTrust } from '../decide.ts';
import { attachmentOf } from '../testing/artifacts.ts';
import { IMAGE, signOneIn } from '../testing/one-signature.ts';
import { identityOf, NOW, questionOf, requirementOf, requiring } from '../testing/policies.ts';
import { base64, bundleJson, bundleLayers, type Parts } from '../testing/signatures.ts';
import { ISSUER, type SigstoreWorld, SUBJECT, sigstoreWorld } from '../testing/sigstore-world.ts';

const WITH_CHAIN = 'application/vnd.dev.sigstore.bundle+json;version=0.1';

let world: SigstoreWorld;

beforeAll(async () => {
  world = await sigstoreWorld();
});

/** The decision on a bundle with other members in its verification material. */
async function decide(parts: Parts, material: object, mediaType?: string) {
  const json = bundleJson(parts, mediaType);
  const verificationMaterial = { ...json.verificationMaterial, ...material };
  const layers = bundleLayers(parts, { ...json, verificationMaterial });
  const requirement = requirementOf({
    identities: [identityOf(ISSUER, SUBJECT)],
    transparencyLog: 'required',
    trustMaterial: world.material,
  });
  const question = questionOf(IMAGE, [attachmentOf(IMAGE, layers, 'referrer')]);
  const decision = await decideTrust(question, requiring(requirement), NOW);
  const [finding] = decision.requirements[0]?.findings ?? [];
  return { verdict: decision.verdict, ...finding?.problem };
}

describe('the certificate chain of a bundle', () => {
  it('refuses a bundle whose certificate chain includes any root certificate', async () => {
    const parts = await signOneIn(world);
    const { certificateAuthorities, timestampAuthorities } = world.root;
    const certificatesOf = ([authority]: typeof certificateAuthorities) =>
      authority?.certChain?.certificates.map(({ rawBytes }) => Buffer.from(rawBytes)) ?? [];
    const [root = Buffer.alloc(0)] = certificatesOf(certificateAuthorities);
    const [intermediate, other] = certificatesOf(timestampAuthorities);
    if (intermediate === undefined || other === undefined) throw new TypeError('no authorities');
    const withChain = (...more: readonly Buffer[]) => {
      const chain = [parts.certificate ?? Buffer.alloc(0), ...more];
      const certificates = chain.map((one) => ({ rawBytes: base64(one) }));
      return decide(parts, { x509CertificateChain: { certificates } }, WITH_CHAIN);
    };
    expect(await withChain(intermediate)).toEqual({ verdict: 'signed' });
    for (const chain of [[root], [other], [intermediate, root]]) {
      expect(await withChain(...chain)).toEqual({
        verdict: 'refused',
        code: 'certificate-malformed',
        message: 'its certificate cannot be used: its chain has a root certificate in it',
      });
    }
    expect(await withChain(Buffer.from('no certificate'))).toMatchObject({
      code: 'certificate-malformed',
    });
  });
});

describe('an entry of a log in a bundle', () => {
  it('accepts null for a missing promise in a log entry of a bundle, and for nothing required', async () => {
    const parts = await signOneIn(world, { log: 'v2' });
    const withNull = (member: string) => {
      const { verificationMaterial } = bundleJson(parts);
      const entries: object[] = Reflect.get(verificationMaterial, 'tlogEntries');
      return decide(parts, { tlogEntries: entries.map((one) => ({ ...one, [member]: null })) });
    };
    expect(await withNull('inclusionPromise')).toEqual({ verdict: 'signed' });
    for (const member of ['inclusionProof', 'logId', 'canonicalizedBody', 'kindVersion']) {
      expect(await withNull(member), member).toMatchObject({
        verdict: 'refused',
        code: 'malformed',
      });
    }
  });

  it('treats null as a missing proof in version 0.1 of a bundle, and then requires a promise', async () => {
    const parts = await signOneIn(world);
    const { verificationMaterial } = bundleJson(parts, WITH_CHAIN);
    const entries: object[] = Reflect.get(verificationMaterial, 'tlogEntries');
    const withNull = (...members: readonly string[]) => {
      const absent = Object.fromEntries(members.map((member) => [member, null]));
      const tlogEntries = entries.map((one) => ({ ...one, ...absent }));
      return decide(parts, { tlogEntries }, WITH_CHAIN);
    };
    expect(await withNull('inclusionProof')).toEqual({ verdict: 'signed' });
    expect(await withNull('inclusionProof', 'inclusionPromise')).toMatchObject({
      verdict: 'refused',
      code: 'malformed',
    });
  });
});
