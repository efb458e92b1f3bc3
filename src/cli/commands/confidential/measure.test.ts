import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson } from '@a3s-box/policies';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const a3s = (line: string): Promise<Transcript> =>
  transcript(socket, line.split(' '), { cwd: directory });
const read = (name: string): string => readFileSync(join(directory, name), 'utf8');

const SPEC = canonicalJson({ hostname: 'box', note: '\u009b31m' });
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const HOST_DATA = sha256(SPEC);
const MEASUREMENT = 'ab'.repeat(48);
const LAUNCH = { schema: 'a3s-box/launch-record/v1', digest: MEASUREMENT };
const ANSWER = { measurement: MEASUREMENT, hostData: HOST_DATA, spec: SPEC, launch: LAUNCH };

/** That of a server which makes a box privileged without being asked to. */
function privilegedAnswer() {
  const spec = '{"confinement":{"privileged":true}}';
  return { ...ANSWER, spec, hostData: hostDataOf(sha256(spec), true) };
}

beforeEach(() => server.answers.set('POST /a3s/v1/measure', { json: ANSWER }));

describe('measure', () => {
  it('sends what run would create, and shows the launch digest and spec', async () => {
    const done = await a3s(
      'measure --tee simulate --host-may logs -p 8443:ratls -d --name db -e A=1 img cmd -x',
    );
    expect(done.status).toBe(0);
    expect(done.stderr).toMatch(/^SIMULATED: /);
    expect(done.stdout).toContain(`launch digest  ${MEASUREMENT}\nHOST_DATA      ${HOST_DATA}\n`);
    expect(done.stdout).toContain('"hostname": "box"');
    expect(done.stdout).toContain('tee: simulated');
    expect(done.stdout).not.toContain('\u009b');
    expect(JSON.parse(server.called('POST /a3s/v1/measure')?.body ?? '')).toMatchObject({
      Image: 'img',
      Cmd: ['cmd', '-x'],
      Env: ['A=1'],
      Confidential: { Tee: 'simulate', HostMay: ['logs'] },
    });
    expect(server.called('POST /containers/create')).toBeUndefined();
  });

  it.each([
    ['simulate', 'simulated', false],
    ['snp', 'sev-snp', true],
  ])('writes a policy for %s that accepts this box alone', async (tee, inPolicy, required) => {
    const done = await a3s(`measure --tee ${tee} --policy-out p.yaml img`);
    expect(done.stderr).toMatch(tee === 'snp' ? /^$/ : /^SIMULATED: .*\n$/);
    const policy = parseAttestationPolicy(readPolicyDocument(Buffer.from(read('p.yaml'))));
    expect(policy).toMatchObject({
      tee: inPolicy,
      measurements: [MEASUREMENT],
      hostData: HOST_DATA,
      crl: { required },
    });
    const checked = await a3s('policy check p.yaml');
    expect(checked.stdout).toContain('The policy is valid.');
    expect(checked.stdout).not.toContain('accepts nobody');
  });

  it('writes the exact bytes of the spec, and the launch document', async () => {
    await a3s('measure --tee snp --spec-out spec.json --launch-out launch.json img');
    expect(read('spec.json')).toBe(SPEC);
    expect(JSON.parse(read('launch.json'))).toEqual({ ...ANSWER, tee: 'snp', simulated: false });
  });

  it('prints the measurement as JSON or by a template', async () => {
    const json = JSON.parse((await a3s('measure --tee snp --format json img')).stdout);
    expect(json).toMatchObject(ANSWER);
    const done = await a3s('measure --tee snp --format {{.Measurement}} img');
    expect(done.stdout).toBe(`${MEASUREMENT}\n`);
  });

  it('passes on the exceptions of a policy for known vulnerable launches', async () => {
    const json = { ...ANSWER, policy: { allowKnownVulnerable: [MEASUREMENT] } };
    server.answers.set('POST /a3s/v1/measure', { json });
    const digests = ['cd'.repeat(32), MEASUREMENT];
    writeFileSync(join(directory, 'old.yaml'), `allowKnownVulnerable: [${digests.join(', ')}]\n`);
    const flags = '--attestation-policy old.yaml --policy-out new.yaml';
    expect(await a3s(`measure --tee snp ${flags} img`)).toMatchObject({ status: 0 });
    const asked = server.called('POST /a3s/v1/measure');
    expect(asked?.query.get('allowKnownVulnerable')).toBe(digests.join(','));
    expect(read('new.yaml')).toContain('KNOWN TO BE VULNERABLE');
    const policy = parseAttestationPolicy(readPolicyDocument(Buffer.from(read('new.yaml'))));
    expect(policy.allowKnownVulnerable).toEqual([MEASUREMENT]);
  });

  it('reports that a boot set is known to be vulnerable', async () => {
    const json = { message: 'the firmware is known to be vulnerable', code: 'known-vulnerable' };
    server.answers.set('POST /a3s/v1/measure', { status: 403, json });
    const done = await a3s('measure --tee snp --policy-out r.yaml img');
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(known-vulnerable)');
    expect(() => read('r.yaml')).toThrow('ENOENT');
    expect(server.called('POST /a3s/v1/measure')?.query.has('allowKnownVulnerable')).toBe(false);
  });

  it('pulls a missing image like run does', async () => {
    server.answers.set('POST /a3s/v1/measure', {
      status: 404,
      json: { message: 'No such image: missing', code: 'no-such-image' },
    });
    await a3s('measure --tee snp missing');
    expect(server.log).toEqual([
      'POST /a3s/v1/measure',
      'POST /images/create',
      'POST /a3s/v1/measure',
    ]);
  });

  it.each([
    ['measure img', 'invalid-argument', 'flag --tee is missing'],
    ['measure --tee snp', 'invalid-argument', 'requires at least 1 argument'],
    ['measure --tee snp --policy-out /nonexistent/p img', 'invalid-argument', 'does not exist'],
    ['measure --tee snp --from-snapshot s img', 'invalid-argument', 'unknown flag'],
    ['measure --tee snp --format {{.Foo img', 'invalid-argument', 'unclosed action'],
    ['measure --tee snp --gpus all img', 'unsupported-option', 'for measure'],
  ])('refuses the command line: %s', async (line, code, words) => {
    const done = await a3s(line);
    expect(done.stderr).toContain(`(${code})`);
    expect(done.stderr).toContain(words);
    expect(done.status).not.toBe(0);
    expect(server.log).toEqual([]);
  });

  it.each([
    ['a spec of another digest', { ...ANSWER, spec: '{}' }],
    ['no digest', { ...ANSWER, measurement: '' }],
    ['HOST_DATA of a privileged box', { ...ANSWER, hostData: hostDataOf(HOST_DATA, true) }],
    ['a privileged box', privilegedAnswer()],
    ['an exception', { ...ANSWER, policy: { allowKnownVulnerable: [MEASUREMENT] } }],
    ['a spec that is no document', { ...ANSWER, spec: 'x', hostData: sha256('x') }],
    ['no launch', { ...ANSWER, launch: null }],
    ['nothing', null],
  ])('refuses a server answer with %s', async (_, json) => {
    server.answers.set('POST /a3s/v1/measure', { json });
    const done = await a3s('measure --tee snp --policy-out q.yaml img');
    expect(done.stderr).toContain('(internal)');
    expect(done.stdout).toBe('');
    expect(() => read('q.yaml')).toThrow('ENOENT');
  });
});
