// The life of a confidential box, from whichever state it is ended: nothing of it is left.
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/boot/digest.ts';
import { bootSetId } from '../../src/boot/document.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { SOAK } from './soak.ts';
import { BrokerProgram } from './support/broker-program.ts';

const IMAGES =
  'images:\n  - pattern: "**"\n    allowUnsigned: true\n    allowUnsignedConfidential: true\n';
const SIMULATED = ['--tee', 'simulate', '--host-may', 'logs', '--network', 'none'];
/** Prints its secrets, and a line when it is asked to stop. */
const PROGRAM = `
trap 'echo told; exit 7' USR1
echo "$(nproc) $PIN $(cat /run/secrets/token) $(ls /sys/class/net)"
awk '$2 == "/" { print $3 }' /proc/mounts
while :; do sleep 0.1; done`;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
  refusingSet(join(installation.root, 'refusing'));
});
afterAll(() => installation.remove());

/** A boot set whose firmware never comes to the kernel. */
function refusingSet(directory: string): void {
  cpSync(join(installation.root, 'dist/boot'), directory, { recursive: true });
  const firmware = readFileSync(join(directory, 'OVMF.fd'));
  // Where the processor begins: a jump onto itself.
  firmware.writeUInt16LE(0xfeeb, firmware.length - 16);
  writeFileSync(join(directory, 'OVMF.fd'), firmware);
  const path = join(directory, 'boot.json');
  const document = JSON.parse(readFileSync(path, 'utf8'));
  document.files['OVMF.fd'].sha256 = sha256(firmware);
  document.id = bootSetId(document);
  writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
}

describe.each(ANY_ACTOR)('a confidential box of %s', (name) => {
  let actor: Actor;
  const at = (file: string): string => join(actor.directory, file);

  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.load('busybox');
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(join(actor.home, 'image-policy.yaml'), IMAGES, { mode: 0o644 });
    writeFileSync(at('broker.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    // The ordinary user reads it, too.
    writeFileSync(at('broker.key'), pem, { mode: 0o644 });
  });
  afterAll(() => actor.leave());

  afterEach(() => {
    expect(actor.boxProcesses().map(({ commandLine }) => commandLine)).toEqual([]);
    expect(entries(join(actor.home, 'boxes'))).toEqual([]);
    expect(entries(actor.runtimeDir).filter((entry) => entry !== 'server.sock')).toEqual([]);
  });

  async function inspect(box: string) {
    return JSON.parse(await actor.ok(['inspect', box]))[0];
  }

  it('a confidential box gets its settings, is what was measured, and ends as its program does', async () => {
    const flags = [
      ...SIMULATED,
      ...['--changes', 'encrypted-disk', '--memory', '256m', '--cpus', '2'],
      ...['--stop-signal', 'USR1', '--secret', `pin:from=${at('broker.pub')}:env=PIN`],
      ...['--secret', `token:from=${at('broker.pub')}`],
    ];
    const box = [BUSYBOX, 'sh', '-c', PROGRAM];
    const measure = ['measure', ...flags, '--policy-out', at('policy.yaml')];
    const measured = JSON.parse(await actor.ok([...measure, '--format', 'json', ...box]));
    await actor.ok(['run', '--detach', '--name', 'life', ...flags, ...box]);
    expect(await actor.ok(['ps', '--format', '{{.Status}}'])).toContain('(waiting for secrets)');
    const { Confidential, HostConfig } = await inspect('life');
    expect(Confidential).toMatchObject({
      Measurement: measured.measurement,
      HostData: measured.hostData,
      SecretsState: 'waiting',
    });
    expect(HostConfig.RestartPolicy).toMatchObject({ Name: 'no' });

    const trust = ['--policy', at('policy.yaml'), '--allow-simulated', '--key', at('broker.key')];
    await actor.ok(['inject-secret', ...trust, 'life', 'pin=1234', 'token=sesame']);
    const said = '2 1234 sesame lo\noverlay';
    await until('it has said so', async () => (await actor.ok(['logs', 'life'])) === said);
    await actor.killServer();
    await actor.ok(['stop', '--time', '60', 'life']);
    expect(await actor.ok(['logs', 'life'])).toBe(`${said}\ntold`);
    expect((await inspect('life')).State).toMatchObject({ Status: 'exited', ExitCode: 7 });
    expect(actor.boxProcesses()).toEqual([]);

    // The next start is a launch of its own, which has none of those secrets.
    await actor.ok(['start', 'life']);
    expect((await inspect('life')).Confidential).toMatchObject({
      Measurement: measured.measurement,
      SecretsState: 'waiting',
    });
    await actor.killServer();
    await actor.ok(['rm', '--force', 'life']);
  });

  it('a confidential box fetches its secret from a broker, and is refused it after a revocation', async () => {
    await using broker = await BrokerProgram.prepare(actor);
    const program = 'cat /run/secrets/token; ls /sys/class/net; exec sleep 1000';
    const box = [BUSYBOX, 'sh', '-c', program];
    const flags = [
      ...[...SIMULATED, '--memory', '192m', ...broker.flag],
      ...['--secret', 'token:from=broker/default/db/token'],
    ];
    await actor.ok(['measure', ...flags, '--policy-out', at('fetching.yaml'), ...box]);
    await actor.ok(['run', '--detach', '--name', 'fetching', ...flags, ...box]);
    expect((await inspect('fetching')).Confidential).toMatchObject({
      SecretsState: 'waiting',
      Broker: { Host: '127.0.0.1', Tenant: 'default', Key: broker.pin },
    });

    // Nobody serves at the address of the broker. The box tries again until somebody does.
    const trust = ['--policy', at('fetching.yaml'), '--allow-simulated'];
    await actor.ok(['attest', 'box', ...trust, '--out', at('evidence'), 'fetching']);
    const attestation = readPolicyDocument(readFileSync(at('fetching.yaml')));
    writeFileSync(broker.at('policy.json'), JSON.stringify({ allowSimulated: true, attestation }), {
      mode: 0o644,
    });
    await broker.serve(readFileSync(at('evidence/simulated-roots.pem')), async () => {
      await broker.administer(['secret', 'put', 'default/db/token'], { stdin: 'sesame\n' });
      await broker.administer(['policy', 'put', 'box', '--file', broker.at('policy.json')]);
      await broker.administer(['grant', 'put', 'db', '--path', 'default/db/*', '--policy', 'box']);
    });
    const said = async (): Promise<string> => await actor.ok(['logs', 'fetching']);
    await until('it has its secret', async () => (await said()) === 'sesame\nlo');
    expect((await inspect('fetching')).Confidential).toMatchObject({ SecretsState: 'ready' });
    await actor.ok(['stop', '--time', '1', 'fetching']);

    await broker.administer(['revoke', 'grant', 'db']);
    await actor.ok(['start', 'fetching']);
    const ended = await actor.run(['wait', 'fetching']);
    expect(ended).toMatchObject({ code: 0, stdout: '125\n' });
    const { State, Confidential } = await inspect('fetching');
    expect(State.Error).toBe('the secret was refused: the broker answers kbs-evidence');
    expect(ended.stderr).toContain(State.Error);
    expect(Confidential).toMatchObject({ SecretsState: 'refused' });
    const times = ['--since', '0', '--until', String(Math.ceil(Date.now() / 1000))];
    const filters = [...times, '--filter', 'event=secrets-refused'];
    const events = await actor.ok(['events', ...filters, '--format', '{{json .Actor.Attributes}}']);
    expect(JSON.parse(events)).toMatchObject({ error: 'secret-refused', reason: State.Error });
    expect(await said()).toBe('sesame\nlo');
    await actor.ok(['rm', 'fetching']);
  });

  // Each part of it is proven below a microVM, and the box starts four times.
  if (SOAK) {
    it('a confidential box reads a rotated secret, and does not start on an older disk of its volume', async () => {
      await using broker = await BrokerProgram.prepare(actor, 'counting-broker');
      const program = `echo start >> /data/starts; sync; wc -l < /data/starts
while :; do new=$(cat /run/secrets/token)
[ "$new" = "$old" ] || echo "$new"; old=$new; sleep 0.1; done`;
      const box = [BUSYBOX, 'sh', '-c', program];
      const flags = [
        ...[...SIMULATED, '--memory', '192m', ...broker.flag],
        ...['--secret', 'token:from=broker/default/db/token,refresh=10s'],
        ...['-v', 'counted:/data:sealed,init,counter=default/volumes/counted'],
      ];
      const volume = ['volume', 'create', '--opt', 'type=sealed', '--opt', 'size=64m', 'counted'];
      await actor.ok(volume);
      const disk = join(actor.home, 'volumes/counted/_disk');
      await actor.ok(['measure', ...flags, '--policy-out', at('counting.yaml'), ...box]);
      await actor.ok(['run', '--detach', '--name', 'counting', ...flags, ...box]);
      const trust = ['--policy', at('counting.yaml'), '--allow-simulated'];
      await actor.ok(['attest', 'box', ...trust, '--out', at('counted'), 'counting']);
      // The volume is made by now, and not counted. A broker that permits a part would end the box.
      await actor.ok(['stop', '--time', '1', 'counting']);
      const young = readFileSync(disk);
      await broker.serve(readFileSync(at('counted/simulated-roots.pem')));
      const attestation = readPolicyDocument(readFileSync(at('counting.yaml')));
      const policy = JSON.stringify({ allowSimulated: true, attestation });
      writeFileSync(broker.at('policy.json'), policy, { mode: 0o644 });
      await broker.administer(['secret', 'put', 'default/db/token'], { stdin: 'sesame\n' });
      await broker.administer(['policy', 'put', 'box', '--file', broker.at('policy.json')]);
      const put = (name: string, path: string, ...more: string[]) =>
        broker.administer(['grant', 'put', name, '--path', path, '--policy', 'box', ...more]);
      await put('counters', 'default/volumes/*', '--counter');
      await put('db', 'default/db/*');
      await actor.ok(['start', 'counting']);
      const said = async (): Promise<string> => await actor.ok(['logs', 'counting']);
      await until('it has its secret', async () => (await said()) === '1\nsesame');
      const generation = async (): Promise<number> =>
        JSON.parse(await broker.administer(['counter', 'ls']))[0].generation;
      expect(await generation()).toBe(3);

      await broker.administer(['secret', 'put', 'default/db/token'], { stdin: 'poppy\n' });
      await until('it reads the new one', async () => (await said()) === '1\nsesame\npoppy');
      await actor.ok(['stop', '--time', '1', 'counting']);

      const last = readFileSync(disk);
      writeFileSync(disk, young);
      await actor.ok(['start', 'counting']);
      expect(await actor.run(['wait', 'counting'])).toMatchObject({ code: 0, stdout: '125\n' });
      const { State } = await inspect('counting');
      expect(State.Error).toContain('the disk is older than the broker');
      const times = ['--since', '0', '--until', String(Math.ceil(Date.now() / 1000))];
      const filters = [...times, '--filter', 'event=spec-refused'];
      const events = ['events', ...filters, '--format', '{{json .Actor.Attributes}}'];
      expect(JSON.parse(await actor.ok(events))).toMatchObject({
        ...{ error: 'volume-rolled-back', rule: 'volumes', reason: State.Error },
      });
      expect(await generation()).toBe(3);

      writeFileSync(disk, last);
      await actor.ok(['start', 'counting']);
      await until('it goes on with its volume', async () => (await said()).endsWith('2\npoppy'));
      expect(await generation()).toBe(4);
      await actor.ok(['rm', '--force', 'counting']);
      await actor.ok(['volume', 'rm', 'counted']);
    });
  }

  it('a confidential box that never started is removed', async () => {
    await actor.ok(['create', '--name', 'made', ...SIMULATED, BUSYBOX, 'true']);
    await actor.ok(['stop', 'made']);
    await actor.ok(['rm', '--force', 'made']);
  });

  it.each(['stop', 'rm', 'kill -9 of the server, and rm'])(
    'a confidential box whose firmware refuses to boot does not delay %s',
    async (how) => {
      const set = join(installation.root, 'refusing');
      const flags = ['--name', 'stuck', '--boot', set, ...SIMULATED];
      await actor.ok(['create', ...flags, BUSYBOX, 'true']);
      const start = actor.run(['start', 'stuck']);
      await until('its microVM runs', () => actor.vmms().length === 1);
      if (how === 'stop') await actor.ok(['stop', '--time', '1', 'stuck']);
      if (how.startsWith('kill')) await actor.killServer();
      await actor.ok(['rm', '--force', 'stuck']);
      expect((await start).code).not.toBe(0);
    },
  );
});

function entries(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
