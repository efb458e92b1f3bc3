/**
 * Tinfoil's verifier (`@tinfoilsh/verifier`), for the verification of a report under a chain.
 *
 * Its package exports whole attestation documents only, so its modules are named by path.
 *
 * @module
 */

interface Modules {
  readonly Report: new (bytes: Uint8Array) => unknown;
  readonly CertificateChain: {
    new (ark: unknown, ask: unknown, vcek: unknown): unknown;
    fromReport(report: unknown, vcek: Uint8Array): Promise<unknown>;
  };
  readonly verifyAttestation: (chain: unknown, report: unknown) => Promise<boolean>;
  readonly X509Certificate: { parse(der: Uint8Array): unknown };
}

const NODE_MODULES = new URL('../../node_modules/', import.meta.url);
const FILES = [
  '@tinfoilsh/verifier/dist/sev/report.js',
  '@tinfoilsh/verifier/dist/sev/cert-chain.js',
  '@tinfoilsh/verifier/dist/sev/verify.js',
  '@freedomofpress/sigstore-browser/dist/index.js',
];

const loaded: Promise<Modules> = Promise.all(
  FILES.map((file) => import(new URL(file, NODE_MODULES).href)),
).then((modules) => Object.assign({}, ...modules) as Modules);

/** Whether it takes a report with its VCEK; rejects with its reason where it does not. */
export async function tinfoilVerifies(report: Uint8Array, vcek: Uint8Array): Promise<boolean> {
  const { Report, CertificateChain, verifyAttestation } = await loaded;
  const parsed = new Report(report);
  return verifyAttestation(await CertificateChain.fromReport(parsed, vcek), parsed);
}

/** The same under a chain that is not AMD's. */
export async function tinfoilVerifiesUnder(
  chain: { readonly ark: Uint8Array; readonly ask: Uint8Array },
  report: Uint8Array,
  vcek: Uint8Array,
): Promise<boolean> {
  const { Report, CertificateChain, verifyAttestation, X509Certificate } = await loaded;
  const [ark, ask, leaf] = [chain.ark, chain.ask, vcek].map((der) => X509Certificate.parse(der));
  return verifyAttestation(new CertificateChain(ark, ask, leaf), new Report(report));
}
