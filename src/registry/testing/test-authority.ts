/**
 * A certificate authority for one test, made by `openssl`: nothing outside of the test trusts it.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of a certificate and its key, both PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority {
  /** Path of its own certificate, PEM. */
  readonly caFile: string;
  readonly ca: string;
  /** A certificate for 127.0.0.1, ::1, localhost and `registry.test`. */
  server(name: string): CertificateFiles;
  client(name: string): CertificateFiles;
  /** For signing tokens: `RS256`. */
  signing(name: string): CertificateFiles;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const RSA = ['-newkey', 'rsa:2048'];
const LOOPBACK =
  'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost,DNS:registry.test,DNS:mirror.test';

/** @param directory where its files go; the caller removes it */
export function testAuthority(directory: string): TestAuthority {
  const own = paths(directory, 'ca');
  certificate(own, 'a3s test authority', EC, ['basicConstraints=critical,CA:TRUE']);
  const issue = (name: string, key: readonly string[], extensions: readonly string[]) => {
    const files = paths(directory, name);
    certificate(files, name, key, ['basicConstraints=CA:FALSE', ...extensions], own);
    return files;
  };
  return {
    caFile: own.cert,
    ca: readFileSync(own.cert, 'utf8'),
    server: (name) => issue(name, EC, [LOOPBACK, 'extendedKeyUsage=serverAuth']),
    client: (name) => issue(name, EC, ['extendedKeyUsage=clientAuth']),
    signing: (name) => issue(name, RSA, ['keyUsage=digitalSignature']),
  };
}

function paths(directory: string, name: string): CertificateFiles {
  return { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) };
}

function certificate(
  files: CertificateFiles,
  name: string,
  newKey: readonly string[],
  extensions: readonly string[],
  issuer?: CertificateFiles,
): void {
  const by = issuer === undefined ? [] : ['-CA', issuer.cert, '-CAkey', issuer.key];
  const added = extensions.flatMap((extension) => ['-addext', extension]);
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
      ...['-keyout', files.key, '-out', files.cert],
      ...[...newKey, ...by, ...added],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
}
