/**
 * What a newcomer sees first: `plain`, an image made on the spot and run in its own microVM, and
 * then `confidential`, a box that is verified, given a secret, and tampered with. Every line is the
 * result of a check, and the exit status is 1 when one of them fails.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { release } from 'node:os';
import { join, resolve } from 'node:path';
import { readConfig } from '../src/config.ts';
import { buildImage, busyboxImage, dockerArchive } from '../test/images/build-image.ts';
import { a3sBox, check, failedChecks, NothingMore, needed, say } from './quickstart/checks.ts';
import { confidentialStory } from './quickstart/confidential.ts';

const TAG = 'quickstart/busybox:latest';
const EXIT_CODE = 7;
const DOCKER_CAPABILITIES = '00000000a80425fb';

/**
 * Prints the facts of the guest one per line, and ends with a status that nothing else would give.
 */
const SCRIPT = [
  'echo kernel=$(uname -r)',
  'echo boot=$(cat /proc/sys/kernel/random/boot_id)',
  'echo uptime=$(cut -d" " -f1 /proc/uptime)',
  'echo processes=$(ls -d /proc/[0-9]* | wc -l)',
  "sed -n 's/^CapEff:\\s*/capabilities=/p; s/^Seccomp:\\s*/seccomp=/p' /proc/self/status",
  `exit ${EXIT_CODE}`,
].join('\n');

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function makeImage(): { path: string; id: string } {
  const made = () => buildImage({ ...busyboxImage(), name: TAG });
  const image = made();
  const archive = dockerArchive([image]);
  const again = dockerArchive([made()]);
  check(
    archive.equals(again),
    `image ${TAG} made twice, both times sha256:${sha256(archive).slice(0, 12)}…`,
  );
  mkdirSync(join('build', 'quickstart'), { recursive: true });
  const path = join('build', 'quickstart', 'busybox.tar');
  writeFileSync(path, archive);
  return { path, id: image.config.digest };
}

function loadImage(path: string, id: string): void {
  if (a3sBox(['inspect', '--type', 'image', '--format', '{{.Id}}', TAG]).stdout.trim() !== id) {
    needed(['load', '--quiet', '--input', path]);
  }
  const loaded = needed(['inspect', '--type', 'image', '--format', '{{.Id}}', TAG]).trim();
  check(loaded === id, `image loaded, every layer checked: ${loaded.slice(0, 19)}…`);
}

function facts(output: string): Map<string, string> {
  return new Map(
    output
      .split('\n')
      .filter((line) => line.includes('='))
      .map(
        (line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const,
      ),
  );
}

function runBox(): void {
  const bootSet: { kernel: { release: string } } = JSON.parse(
    readFileSync(join('dist', 'boot', 'boot.json'), 'utf8'),
  );
  say('booting …');
  const started = performance.now();
  const { code, stdout, stderr } = a3sBox([
    'run',
    '--rm',
    '--network',
    'none',
    TAG,
    'sh',
    '-c',
    SCRIPT,
  ]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const seen = facts(stdout);
  const hostBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

  const kernel = seen.get('kernel') ?? 'none';
  const boot = seen.get('boot') ?? '';
  check(
    kernel === bootSet.kernel.release && boot.length === hostBoot.length && boot !== hostBoot,
    `own kernel: guest ${kernel}, host ${release()}, different boot ids`,
  );
  const uptime = Number(seen.get('uptime'));
  check(
    uptime > 0,
    `boot time: ${seconds} s for the whole command, ${uptime.toFixed(1)} s of them in the guest`,
  );
  check(
    seen.get('capabilities') === DOCKER_CAPABILITIES && seen.get('seccomp') === '2',
    `confined: capabilities ${seen.get('capabilities')}, seccomp mode ${seen.get('seccomp')}`,
  );
  const processes = Number(seen.get('processes'));
  check(
    processes > 0 && processes < 6,
    `alone: ${processes} processes visible, the agent is not among them`,
  );
  check(code === EXIT_CODE, `exit code ${code}, expected ${EXIT_CODE}`);
  if (stderr !== '') console.log(stderr.trimEnd());
}

/** One request to the control server; false where none answers. */
function ask(socketPath: string, method: string, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, method, timeout: 5_000 }, (response) => {
      response.resume();
      response.on('end', () => resolve((response.statusCode ?? 500) < 300));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}

/** The parts, in the order in which `quickstart.sh` calls for them. */
const PARTS: Readonly<Record<string, (home: string) => void | Promise<void>>> = {
  plain() {
    const image = makeImage();
    loadImage(image.path, image.id);
    runBox();
  },
  confidential: confidentialStory,
};

async function main(name: string): Promise<void> {
  const part = PARTS[name];
  if (part === undefined) throw new TypeError(`quickstart: there is no part ${name}`);
  const { socket, home } = readConfig(process.env, process.geteuid?.() ?? 0, resolve('dist'));
  const served = await ask(socket, 'GET', '/_ping');
  try {
    await part(home);
  } catch (error) {
    if (!(error instanceof NothingMore)) throw error;
  } finally {
    // What this program started, it also stops; the next command starts it again.
    if (!served)
      check(await ask(socket, 'POST', '/a3s/v1/server/stop'), 'control server stopped again');
  }
  const failures = failedChecks();
  if (failures > 0) console.log(`\n${failures} of the checks above failed.`);
  else if (name === 'confidential') console.log(`\nNow try:  ./a3s-box run -it --rm ${TAG}`);
  process.exitCode = failures === 0 ? 0 : 1;
}

void main(process.argv[2] ?? '');
