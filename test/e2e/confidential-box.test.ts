/**
 * A confidential box and its control server, in simulation: what is measured is what runs, the host
 * may what the launch spec says, and secrets reach a box whose server was killed meanwhile.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { ACTORS, Actor } from './actor.ts';
import { type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const SECRET = 'a-value-that-is-nowhere-else';
/** Has volumes of which no layer has the directories. */
const IMAGE = 'test/volumes:1';
const LOOK = "stat -c '%n %a %u' /data /var/lib/deep/er; sha256sum < /run/secrets/token";
const COMMAND = ['sh', '-c', `${LOOK}; exec sleep 1000`];

let installation: Installation;
let actor: Actor;
let flags: readonly string[];

beforeAll(async () => {
  installation = await install();
  // An ordinary user, where there is one to play.
  actor = new Actor(ACTORS.at(-1) ?? 'ordinary user', installation);
  const image = busyboxImage(IMAGE);
  const config = { ...image.config, Volumes: { '/data': {}, '/var/lib/deep/er/': {} } };
  const archive = join(actor.directory, 'volumes.tar');
  writeFileSync(archive, dockerArchive([buildImage({ ...image, config })]), { mode: 0o644 });
  await actor.ok(['load', '--quiet', '--input', archive]);
  write(
    'lax.yaml',
    'images: [{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }]',
  );
  write('token', SECRET);
  const [key, pub] = [join(actor.directory, 'broker.key'), join(actor.directory, 'broker.pub')];
  run('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', key]);
  run('openssl', ['pkey', '-in', key, '-pubout', '-out', pub]);
  flags = ['--tee', 'simulate', '--host-may', 'logs', '--secret', `token:from=${pub}`];
});
afterAll(async () => {
  await actor?.leave();
  installation?.remove();
});

function run(program: string, args: readonly string[]): void {
  const [first, ...rest] = actor.program(program, args);
  execFileSync(first, rest, { env: actor.env, stdio: 'ignore', cwd: actor.directory });
}

function write(name: string, text: string): void {
  writeFileSync(join(actor.directory, name), text, { mode: 0o644 });
}

async function inspect(box: string): Promise<Record<string, Record<string, unknown>>> {
  const [found] = JSON.parse(await actor.ok(['inspect', box])) as Record<
    string,
    Record<string, unknown>
  >[];
  return found ?? {};
}

function ask(path: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: actor.socket, path }, (response) => {
      json(response).then((body) => resolve(body as Record<string, unknown>), reject);
    });
    call.on('error', reject);
    call.end();
  });
}

it('refuses an unsigned image for a confidential box', async () => {
  const refused = await actor.run(['run', '-d', ...flags, IMAGE, ...COMMAND]);
  expect(refused).toMatchObject({
    code: 125,
    stderr: expect.stringContaining('(image-untrusted)'),
  });
});

it('runs what was measured, and gets its secret after its server was killed', async () => {
  const policy = join(actor.directory, 'policy.yaml');
  await actor.ok(['measure', ...flags, '--policy-out', policy, IMAGE, ...COMMAND]);
  const lax = ['--image-policy', join(actor.directory, 'lax.yaml')];
  const options = ['-d', '--name', 'db', '-p', '127.0.0.1::ratls', ...lax];
  await actor.ok(['run', ...options, ...flags, IMAGE, ...COMMAND]);

  const port = await actor.ok(['ps', '--format', '{{.Ports}}']);
  expect(port).toMatch(/^127\.0\.0\.1:\d+->ratls$/);
  expect(await actor.ok(['ps', '--format', '{{.Status}}'])).toContain('(waiting for secrets)');
  for (const denied of [
    ['exec', 'db', 'true'],
    ['kill', '-s', 'USR1', 'db'],
  ]) {
    const { stderr } = await actor.run(denied);
    expect(stderr).toContain('(host-not-permitted)');
  }

  await actor.killServer();
  expect(await actor.ok(['ps', '--format', '{{.Status}}'])).toContain('(waiting for secrets)');
  // The next server goes on answering as the processor of a guest that an earlier one launched.
  const evidence = await ask('/a3s/v1/boxes/db/evidence');
  const { Instance, HostData } = (await inspect('db'))['Confidential'] ?? {};
  expect(evidence).toMatchObject({ hint: true, instance: Instance, specDigest: HostData });

  const target = port.slice(0, port.indexOf('->'));
  const key = ['--key', join(actor.directory, 'broker.key')];
  const trust = ['--policy', policy, '--allow-simulated'];
  const token = `token=@${join(actor.directory, 'token')}`;
  await actor.ok(['inject-secret', ...trust, ...key, target, token]);
  const digest = execFileSync('sha256sum', { input: SECRET, encoding: 'utf8' });
  await until('the workload has its secret', async () =>
    (await actor.ok(['logs', 'db'])).endsWith(digest.trim()),
  );
  expect(await actor.ok(['logs', 'db'])).toBe(
    ['/data 755 0', '/var/lib/deep/er 755 0', digest.trim()].join('\n'),
  );
  await until('the server knows', async () => {
    const { SecretsState } = (await inspect('db'))['Confidential'] ?? {};
    return SecretsState === 'ready';
  });
  expect(secretsIn(actor.home)).toBe('');
});

/** Names of files that hold the secret. */
function secretsIn(directory: string): string {
  try {
    return execFileSync('grep', ['-rlaF', SECRET, directory], { encoding: 'utf8' });
  } catch (error) {
    // It found none.
    if (error instanceof Error && 'status' in error && error.status === 1) return '';
    throw error;
  }
}
