/**
 * A confidential box, simulated, with its RA-TLS port published, and the policy that accepts it.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { readPolicyDocument } from '@a3s-box/policies/document';
import type { ConnectOptions } from '@a3s-box/ratls';
import type { Actor } from '../test/e2e/actor.ts';
import { BUSYBOX } from '../test/e2e/installation.ts';

/** Says that nothing is asked of the image: that is not what is measured. */
const IMAGE_POLICY =
  'images:\n  - pattern: "**"\n    allowUnsigned: true\n    allowUnsignedConfidential: true\n';

/** The options that make a box of `actor` confidential, with any image, and what its host may. */
export function confidentialOptions(actor: Actor, may = 'logs'): readonly string[] {
  const path = join(actor.directory, 'confidential-images.yaml');
  writeFileSync(path, IMAGE_POLICY);
  return ['--tee', 'simulate', '--host-may', may, '--image-policy', path];
}

export interface ConfidentialPlace {
  readonly options: ConnectOptions;
  /** May inject each of them. */
  readonly key: KeyObject;
  readonly secrets: readonly string[];
}

/** Starts a box that waits for so many secrets. */
export async function startConfidential(actor: Actor, secrets: number): Promise<ConfidentialPlace> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const keyFile = join(actor.directory, 'injector.pub');
  writeFileSync(keyFile, publicKey.export({ type: 'spki', format: 'pem' }));
  const names = Array.from({ length: secrets }, (_, index) => `secret-${index}`);
  const box = [
    ...confidentialOptions(actor),
    ...names.flatMap((name) => ['--secret', `${name}:from=${keyFile}`]),
  ];
  const policyFile = join(actor.directory, 'box-policy.yaml');
  const command = [BUSYBOX, 'sleep', '100000'];
  await actor.ok(['measure', ...box, '--policy-out', policyFile, ...command]);
  const port = await freePort();
  await actor.ok(['run', '-d', '-p', `127.0.0.1:${port}:ratls`, ...box, ...command]);
  const policy = parseAttestationPolicy(readPolicyDocument(readFileSync(policyFile)));
  const options = { host: '127.0.0.1', port, policy, allowSimulated: true };
  return { options, key: privateKey, secrets: names };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no port was given')),
      );
    });
  });
}
