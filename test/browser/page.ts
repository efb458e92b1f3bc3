/**
 * Runs in the browser: fetches the evidence from the page's server, and sends back the result of
 * verification and appraisal on WebCrypto.
 *
 * @module
 */
import { appraise, VerificationError, verify } from '@a3s-box/attestation/browser';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { parseCa } from '../../attestation/src/certificates/ca.ts';
import { fromBase64 } from '../../attestation/src/envelopes/encodings/base64.ts';
import { decodePem } from '../../attestation/src/envelopes/encodings/pem.ts';
import type { Evidence } from '../../attestation/src/evidence.ts';
import type { CaAnchor, TrustAnchors } from '../../attestation/src/roots/anchors.ts';
import type { VerifyOptions } from '../../attestation/src/verify/options.ts';
import { tracedVerification } from '../../attestation/src/verify/run.ts';
import { answerLater } from '../../attestation/src/verify/web-signatures.ts';

export interface Question {
  readonly name: string;
  readonly evidence: { report: string; vek?: string; authorities?: string[] };
  readonly crl?: string;
  readonly crlObtainedAt?: string;
  readonly now: string;
  readonly policy?: unknown;
  readonly reportData?: string;
}

export interface Answer {
  readonly name: string;
  /** What the production verifier says. */
  readonly verify: string;
  /** What the same checks say under the simulated roots. */
  readonly simulated: string;
  /** What the policy says, where there is one and the production verifier accepted. */
  readonly appraise?: string;
}

interface Work {
  readonly questions: readonly Question[];
  readonly simulatedRoots: string;
}

async function main(): Promise<void> {
  const work = (await (await fetch('/work')).json()) as Work;
  const anchors = simulatedAnchors(work.simulatedRoots);
  const answers: Answer[] = [];
  for (const question of work.questions) answers.push(await answer(question, anchors));
  await send({ secure: Reflect.get(globalThis, 'isSecureContext'), answers });
}

async function answer(question: Question, anchors: TrustAnchors): Promise<Answer> {
  const { name, policy, reportData } = question;
  const { evidence, options } = decode(question);
  let appraisal: string | undefined;
  const production = await codeOf(async () => {
    const verified = await verify(evidence, options);
    if (policy === undefined) return;
    const expected = reportData === undefined ? {} : { reportData };
    appraisal = appraise(verified, parseAttestationPolicy(policy), expected).code;
  });
  const simulated = await codeOf(() => answerLater(tracedVerification(evidence, anchors, options)));
  return {
    name,
    verify: production,
    simulated,
    ...(appraisal === undefined ? {} : { appraise: appraisal }),
  };
}

async function codeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return 'accepted';
  } catch (error) {
    if (error instanceof VerificationError) return error.code;
    throw error;
  }
}

function decode(question: Question): { evidence: Evidence; options: VerifyOptions } {
  const { crl, crlObtainedAt, now } = question;
  const { report, vek, authorities } = question.evidence;
  return {
    evidence: {
      report: bytes(report),
      vek: vek === undefined ? undefined : bytes(vek),
      authorities: authorities?.map(bytes),
    },
    options: {
      now: new Date(now),
      crl: crl === undefined ? undefined : bytes(crl),
      crlObtainedAt: crlObtainedAt === undefined ? undefined : new Date(crlObtainedAt),
    },
  };
}

function bytes(text: string): Uint8Array {
  const decoded = fromBase64(text);
  if (decoded === undefined) throw new Error('a vector is not base64');
  return decoded;
}

/** What the Node side makes of the same certificates, without node:crypto. */
function simulatedAnchors(pem: string): TrustAnchors {
  const [ark, ask, asvk] = decodePem(pem, 'CERTIFICATE').map(
    (der): CaAnchor & { organization: string } => {
      const { subject, serial, notBefore, notAfter, publicKey } = parseCa(der);
      const { commonName, organization } = subject;
      return { organization, commonName, serial, notBefore, notAfter, modulus: publicKey.modulus };
    },
  );
  if (ark === undefined || ask === undefined || asvk === undefined) throw new Error('no roots');
  const authorities = { ark, ask, asvk };
  return {
    organization: ark.organization,
    vcekCommonName: 'SIMULATED-VCEK',
    vlekCommonName: 'SIMULATED-VLEK',
    products: { Milan: authorities, Genoa: authorities, Turin: authorities },
  };
}

async function send(result: unknown): Promise<void> {
  await fetch('/result', { method: 'POST', body: JSON.stringify(result) });
}

main().catch((error: unknown) => send({ error: `${error}` }));
