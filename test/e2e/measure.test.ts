// What a relying party computes beforehand, against the box that is there: accepted, or the
// difference named.
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACTORS, Actor, type Result } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

const IMAGES =
  'images:\n  - pattern: "**"\n    allowUnsigned: true\n    allowUnsignedConfidential: true\n';

let installation: Installation;
let actor: Actor;
let options: readonly string[];
/** What the report of the box says, and what its host says that it launched. */
let actual: readonly string[];

const at = (name: string): string => join(actor.directory, name);

/** Writes `NAME.yaml` and `NAME.json`. */
function measure(name: string, who: string, ...more: readonly string[]): Promise<string> {
  const outputs = ['--policy-out', at(`${name}.yaml`), '--launch-out', at(`${name}.json`)];
  const box = [...options, ...more, '--env', `WHO=${who}`, BUSYBOX, 'sleep', '600'];
  return actor.ok(['measure', ...outputs, '--format', '{{.Measurement}} {{.HostData}}', ...box]);
}

const attest = (policy: string): Promise<Result> =>
  actor.run(['attest', 'box', 'measured', '--policy', at(policy), '--allow-simulated', '--json']);

const explain = (launch: string): Promise<Result> =>
  actor.run(['attest', 'explain', '--launch', at(launch), ...actual]);

function launchOfBox(): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = '/a3s/v1/boxes/measured/launch';
    request({ socketPath: actor.socket, path }, (response) => resolve(text(response)))
      .on('error', reject)
      .end();
  });
}

beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  await actor.load('busybox');
  writeFileSync(at('images.yaml'), IMAGES);
  options = [
    ...['--tee', 'simulate', '--host-may', 'logs', '--network', 'none'],
    ...['--image-policy', at('images.yaml')],
  ];
  await measure('expected', 'me');
  const box = ['--name', 'measured', ...options, '--env', 'WHO=me', BUSYBOX, 'sleep', '600'];
  await actor.ok(['run', '--detach', ...box]);
  const format = '{{.Confidential.Measurement}} {{.Confidential.HostData}}';
  const [digest = '', hostData = ''] = (
    await actor.ok(['inspect', '--format', format, 'measured'])
  ).split(' ');
  writeFileSync(at('record.json'), await launchOfBox());
  actual = ['--actual', digest, '--actual-host-data', hostData, '--record', at('record.json')];
});
afterAll(async () => {
  await actor?.leave();
  installation?.remove();
});

it('accepts the box under the policy that was made before', async () => {
  const { code, stdout } = await attest('expected.yaml');
  expect(JSON.parse(stdout)).toMatchObject({ accepted: true, code: 'accepted' });
  expect(code).toBe(0);
  expect((await explain('expected.json')).stdout).toContain('HOST_DATA is the expected one');
});

it('rejects a box with another variable, and explains the changed field', async () => {
  await measure('other', 'somebody');
  const { code, stdout } = await attest('other.yaml');
  expect(JSON.parse(stdout)).toMatchObject({ accepted: false });
  expect(stdout).toContain('host-data');
  expect(code).toBe(1);
  const explained = await explain('other.json');
  expect(explained.stdout).toContain('The digest is the expected one');
  expect(explained.stdout).toMatch(
    /✗ process\.env\[\d+\]\n +expected: "WHO=somebody"\n +actual: +"WHO=me"/,
  );
  expect(explained.code).toBe(0);
});

it('rejects a box with another number of CPUs, and explains the changed input', async () => {
  await measure('larger', 'me', '--cpus', '2');
  const { code, stdout } = await attest('larger.yaml');
  expect(JSON.parse(stdout)).toMatchObject({ accepted: false });
  expect(stdout).toContain('measurement');
  expect(code).toBe(1);
  const explained = await explain('larger.json');
  expect(explained.stdout).toMatch(/^✗ vcpus /m);
  expect(explained.code).toBe(0);
});
