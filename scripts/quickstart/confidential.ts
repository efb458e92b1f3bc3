/**
 * The whole story of a confidential box, in simulation: signed, measured, booted, verified by a
 * relying party, given a secret, and tampered with.
 *
 * @module
 */
import { createHash, createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { dockerArchive } from '../../test/images/build-image.ts';
import { a3sBox, check, needed, refused, say } from './checks.ts';
import { evidenceReadme } from './evidence-readme.ts';
import { withByteChanged } from './tamper.ts';
import { VAULT, vaultImage } from './vault.ts';

const DIRECTORY = join('build', 'quickstart');
const EVIDENCE = join(DIRECTORY, 'evidence');
const BOX = 'quickstart-vault';
const OTHER = 'quickstart-tampered';

const at = (name: string): string => join(DIRECTORY, name);
const inEvidence = (name: string): string => join(EVIDENCE, name);

/** Where the field lies in a report. */
const HOST_DATA = [0xc0, 0xe0] as const;

/** One byte is not enough to guess, and 64 are one block of SHA-256. */
const SECRET = randomBytes(64);
const NONCE = randomBytes(16).toString('hex');

/** What makes the box what it is: the same for who measures and who runs. */
const OPTIONS: readonly string[] = [
  ...['--tee', 'simulate', '--host-may', 'logs', '--env', `NONCE=${NONCE}`],
  ...['--secret', `token:from=${at('broker.pub')}`, '--image-policy', at('image-policy.yaml')],
];
const RELYING: readonly string[] = ['--policy', inEvidence('policy.yaml'), '--allow-simulated'];

/** @param home A3S_HOME, where a hostile host would change things */
export async function confidentialStory(home: string): Promise<void> {
  console.log(
    '\nA confidential box, in SIMULATION: the steps are real, and this host could read its memory.',
  );
  prepare();
  signImage();
  measure();
  const address = `127.0.0.1:${await freePort()}`;
  try {
    start(BOX, ['-p', `${address}:ratls`]);
    verify(address);
    inject(address);
    prove();
    tamper(home);
  } finally {
    a3sBox(['rm', '--force', BOX, OTHER]);
  }
  writeFileSync(inEvidence('README'), evidenceReadme());
  console.log(
    `\nThe evidence is in ${resolve(EVIDENCE)}; its README says how other tools verify it.`,
  );
}

function prepare(): void {
  rmSync(EVIDENCE, { recursive: true, force: true });
  mkdirSync(EVIDENCE, { recursive: true });
  a3sBox(['rm', '--force', BOX, OTHER]);
  for (const name of ['team', 'broker', 'stranger']) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(at(`${name}.key`), pem, { mode: 0o600 });
    writeFileSync(at(`${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
  }
  writeFileSync(at('token'), SECRET.toString('hex'), { mode: 0o600 });
  writeFileSync(
    at('image-policy.yaml'),
    `images:\n  - pattern: "docker.io/${VAULT.replace(/:.*/, '')}"\n    require:\n      - keys: [team.pub]\n        transparencyLog: none\n`,
  );
}

/** Puts the image into the store anew, so that it has no signature of an earlier key. */
function signImage(): void {
  a3sBox(['rmi', '--force', VAULT]);
  const archive = at('vault.tar');
  writeFileSync(archive, dockerArchive([vaultImage()]));
  needed(['load', '--quiet', '--input', archive]);
  refused(['create', ...OPTIONS, VAULT], ['image-untrusted'], 'image without a signature: refused');
  needed(['image', 'sign', '--key', at('team.key'), '--upload=false', VAULT]);
  const policy = ['--image-policy', at('image-policy.yaml')];
  const { code } = a3sBox(['image', 'verify', ...policy, VAULT]);
  check(code === 0, `image ${VAULT} signed with team.key, verified with team.pub`);
}

/** As a relying party does, with image and boot set, and without any box. */
function measure(): void {
  const outputs = ['policy', 'spec', 'launch'].flatMap((name) => [
    `--${name}-out`,
    inEvidence(name === 'policy' ? 'policy.yaml' : `${name}.json`),
  ]);
  const format = ['--format', '{{.Measurement}} {{.HostData}}'];
  const [digest = '', hostData = ''] = needed(['measure', ...OPTIONS, ...outputs, ...format, VAULT])
    .trim()
    .split(' ');
  check(
    /^[0-9a-f]{96}$/.test(digest) && /^[0-9a-f]{64}$/.test(hostData),
    `measured before it runs: launch digest ${digest.slice(0, 12)}…, HOST_DATA ${hostData.slice(0, 12)}…`,
  );
  const { code, stdout } = a3sBox(['policy', 'check', inEvidence('policy.yaml')]);
  check(
    code === 0 && stdout.includes('The policy is valid.') && stdout.includes(hostData),
    'policy made of that: valid, for this box and no other',
  );
}

function start(name: string, more: readonly string[]): void {
  say('booting …');
  const started = performance.now();
  needed(['run', '--detach', '--name', name, ...OPTIONS, ...more, VAULT]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const format = '{{.Confidential.Simulated}} {{.Confidential.SecretsState}}';
  const state = needed(['inspect', '--format', format, name]).trim();
  check(state === 'true waiting', `box ${name} started in ${seconds} s, and waits for its secret`);
}

function verify(address: string): void {
  const shown = needed(['ps', '--filter', `name=${BOX}`]);
  check(shown.includes('SIMULATED'), 'ps says SIMULATED');
  refused(['exec', BOX, 'true'], ['host-not-permitted'], 'exec by the host: refused');
  const verdict = needed(['attest', 'box', address, ...RELYING, '--json', '--out', EVIDENCE]);
  writeFileSync(inEvidence('verdict.json'), verdict);
  check(
    JSON.parse(verdict).accepted === true,
    'relying party: fresh quote over RA-TLS verified, and accepted by the policy',
  );
  refused(
    ['attest', 'box', address, '--policy', inEvidence('policy.yaml'), '--json'],
    ['simulated-not-allowed'],
    'without --allow-simulated: refused',
  );
  verifyFiles();
}

/** The files are enough for who has nothing else. */
function verifyFiles(): void {
  const reportData = readFileSync(inEvidence('report-data.hex'), 'utf8').trim();
  const files = [
    ...['--report', inEvidence('report.bin'), '--vek', inEvidence('vcek.der')],
    ...['--certs', inEvidence('authorities.pem'), '--report-data', reportData],
    ...['--simulated-roots', inEvidence('simulated-roots.pem')],
  ];
  const { code } = a3sBox(['attest', 'verify', ...files, ...RELYING]);
  check(code === 0, 'the same quote verified from its files alone, offline');
  const hostData = readFileSync(inEvidence('report.bin'))
    .subarray(...HOST_DATA)
    .toString('hex');
  const spec = readFileSync(inEvidence('launch-spec.json'));
  const measured = readFileSync(inEvidence('spec.json'));
  check(
    createHash('sha256').update(spec).digest('hex') === hostData && spec.equals(measured),
    "the box's launch spec is the measured one, and its SHA-256 is HOST_DATA of the report",
  );
}

function inject(address: string): void {
  const deliver = (key: string): readonly string[] => [
    ...['inject-secret', address, `token=@${at('token')}`, '--key', at(`${key}.key`)],
    ...RELYING,
  ];
  refused(deliver('stranger'), ['injector-not-permitted'], 'secret of a stranger: refused');
  const delivered = needed(deliver('broker')).trim();
  check(delivered === 'token', 'secret injected over RA-TLS, by the key that the quote names');
}

/** The workload ends once it has written its proof. */
function prove(): void {
  const status = needed(['wait', BOX]).trim();
  const expected = createHmac('sha256', SECRET).update(NONCE).digest('hex');
  const { stdout } = a3sBox(['logs', BOX]);
  check(
    status === '0' && stdout === `proof=${expected}\n`,
    `workload proves that it has the secret: HMAC over our nonce is ${expected.slice(0, 12)}…`,
  );
}

/**
 * Once under a box that runs, where the host cannot notice or will not say, and once before a
 * start.
 */
function tamper(home: string): void {
  const image = vaultImage();
  withByteChanged(home, image, (change) => {
    // Mounted and checked so far; the program's block is read when the secret has come.
    start(OTHER, []);
    change();
    needed([
      ...['inject-secret', OTHER, `token=@${at('token')}`, '--key', at('broker.key')],
      ...RELYING,
    ]);
    const status = needed(['wait', OTHER]).trim();
    const { stdout } = a3sBox(['logs', OTHER]);
    check(
      status !== '0' && !stdout.includes('proof='),
      `one byte of a layer changed under the box: the guest does not run it (status ${status})`,
    );
    refused(
      ['start', '--image-policy', at('image-policy.yaml'), OTHER],
      ['verity-mismatch', 'invalid-image'],
      'one byte of a layer changed before a start: refused',
    );
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      server.close(() => resolve(port));
    });
  });
}
