import { expect, it } from 'vitest';
import { Unreached } from './unreached.ts';

const unreached = (code: string): Unreached =>
  new Unreached('r.example:5000', Object.assign(new Error('no'), { code }));

it.each([
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'insecure: true for r.example:5000 in registries.yaml'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'certs.d/r.example:5000/ as client.cert'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certs.d/r.example:5000/ca.crt'],
  ['UND_ERR_SOCKET', 'it may want a client certificate: certs.d/r.example:5000/client.cert'],
  ['ECONNREFUSED', 'Check the name, the network and the proxy settings'],
])('suggests a remedy after %s', (code, remedy) => {
  expect(unreached(code).remedy).toContain(remedy);
});
