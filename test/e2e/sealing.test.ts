// What a confidential box seals, it opens after its next start, and no other box does: through the
// command line and from inside, in simulation. So are volumes that are sealed. All of it as the
// user who has no privileges, where there is one to play.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSimulatedProcessor } from '@a3s-box/attestation/simulated';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { connect, type RatlsSession } from '@a3s-box/ratls';
import { parseEnvelope } from '@a3s-box/sealing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS } from './actor.ts';
import { BoxHost, IMAGE, TIMEOUT_MS } from './hostile-host/boxes.ts';
import { BUSYBOX } from './installation.ts';
import { itInSoak } from './it-where.ts';
import { until } from './processes.ts';
import { BROKER_MS, keepSecretsInABox } from './support/broker-in-a-box.ts';
import { BrokerProgram } from './support/broker-program.ts';

const COMMAND = ['sleep', '1000'];
const VALUE = 'a-key-that-is-nowhere-else';
const PURPOSE = 'db/key';
/** Three starts and a broker. */
const LONG_MS = 3 * TIMEOUT_MS;

let host: BoxHost;
const owner = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const idKey = generateKeyPairSync('ec', { namedCurve: 'P-384' });

const pem = ({ privateKey }: { privateKey: KeyObject }): string =>
  String(privateKey.export({ type: 'pkcs8', format: 'pem' }));

beforeAll(async () => {
  host = await BoxHost.open(ACTORS.at(-1) ?? 'ordinary user');
  // A start decides by the policy of the home, whatever the create was given.
  const policy = readFileSync(host.at('images.yaml'));
  writeFileSync(join(host.actor.home, 'image-policy.yaml'), policy, { mode: 0o644 });
  host.write('owner.key', pem(owner));
  host.write('stranger.key', pem(stranger));
  host.write('owner.pub', String(owner.publicKey.export({ type: 'spki', format: 'pem' })));
});
afterAll(() => host?.leave());

const boxFlags = (sealing: string): string[] => [
  ...['--memory', '192m', '--host-may', 'exec'],
  ...['--sealing', sealing, '--sealer', host.at('owner.pub')],
];

function call(
  command: 'seal' | 'unseal',
  target: string,
  stdin: Uint8Array | string,
  flags: readonly string[],
) {
  const common = ['--allow-simulated', '--key', host.at('owner.key'), '--purpose', PURPOSE];
  return host.actor.run([command, ...common, ...flags, target], { stdin });
}

/** Asks the agent from inside of a box. */
async function inside(box: string, path: string, body: object) {
  const text = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.0\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n`;
  const stdin = `${head}${text}`;
  const answer = await host.actor.ok(['exec', '-i', box, 'ask'], { stdin });
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
}

/** A session as the guest's own rules decide, without those of the command line before it. */
async function sessionOf(box: string, policy: string): Promise<RatlsSession> {
  const document = readPolicyDocument(readFileSync(policy));
  return connect({
    ...{ host: '127.0.0.1', port: await host.port(box) },
    ...{ policy: parseAttestationPolicy(document), allowSimulated: true },
    timeout: TIMEOUT_MS,
  });
}

describe('an envelope', () => {
  let policy: string;
  let envelope: Buffer;
  beforeAll(async () => {
    policy = await host.measure('vault', boxFlags('exact'), COMMAND);
    await host.run('vault', boxFlags('exact'), COMMAND);
    const { code, bytes, stderr } = await call('seal', 'vault', VALUE, ['--policy', policy]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('SIMULATED') });
    envelope = bytes;
  });

  it('writes into an envelope that it is simulated, the launch spec and the launch digest', async () => {
    const { Confidential } = await host.inspect('vault');
    const { header } = parseEnvelope(envelope);
    expect(header).toMatchObject({ tee: 'simulated', policy: 'exact', purpose: PURPOSE });
    expect(Buffer.from(header.hostData).toString('hex')).toBe(Confidential.HostData);
    expect(Buffer.from(header.measurement).toString('hex')).toBe(Confidential.Measurement);
    expect(holders(VALUE)).toBe('');
  });

  it('opens an exact envelope after the next start of the box, from outside and from inside', async () => {
    const before = (await host.inspect('vault')).Confidential.Instance;
    const key = await inside('vault', '/v1/derive', { purpose: 'disk', policy: 'exact' });
    await host.actor.ok(['stop', '--time', '1', 'vault']);
    await host.actor.ok(['start', 'vault'], { deadlineMs: TIMEOUT_MS });
    expect((await host.inspect('vault')).Confidential.Instance).not.toBe(before);
    const opened = await call('unseal', 'vault', envelope, ['--policy', policy]);
    expect(opened).toMatchObject({ code: 0, stdout: VALUE });
    const asked = { purpose: PURPOSE, envelope: envelope.toString('base64') };
    const { value } = await inside('vault', '/v1/unseal', asked);
    expect(Buffer.from(value, 'base64').toString()).toBe(VALUE);
    const { reference } = key;
    expect(await inside('vault', '/v1/derive', { purpose: 'disk', reference })).toEqual(key);
    expect(holders(VALUE)).toBe('');
  });

  it('refuses an envelope for another purpose or key, and a changed one', async () => {
    const flags = ['--policy', policy];
    const other = await call('unseal', 'vault', envelope, [...flags, '--purpose', 'tls/key']);
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toContain('(sealed-purpose)');
    const key = ['--key', host.at('stranger.key')];
    const unnamed = await call('unseal', 'vault', envelope, [...flags, ...key]);
    expect(unnamed).toMatchObject({ code: 1, stdout: '' });
    expect(unnamed.stderr).toContain('(sealer-not-permitted)');
    const changed = Buffer.from(envelope);
    changed.writeUInt8(changed.readUInt8(164) ^ 1, 164);
    const broken = await call('unseal', 'vault', changed, flags);
    expect(broken).toMatchObject({ code: 1, stdout: '' });
    expect(broken.stderr).toContain('(seal-broken)');
    const asked = { purpose: PURPOSE, envelope: changed.toString('base64') };
    const refused = await inside('vault', '/v1/unseal', asked);
    expect(refused).toMatchObject({ error: { code: 'seal-broken' } });
  });

  it('refuses an exact envelope in the guest of a box with another launch spec', async () => {
    const flags = [...boxFlags('exact'), '--deployment', 'other'];
    const others = await host.measure('other', flags, COMMAND);
    await host.actor.ok(['rm', '--force', 'vault']);
    await host.run('other', flags, COMMAND);
    using session = await sessionOf('other', others);
    const opened = session.unseal(envelope, PURPOSE, owner.privateKey);
    await expect(opened).rejects.toMatchObject({ code: 'sealed-spec', found: 'sealed-spec' });
    const upgradable = session.seal(
      Buffer.from(VALUE),
      { purpose: PURPOSE, policy: 'upgradable' },
      owner.privateKey,
    );
    await expect(upgradable).rejects.toMatchObject({ code: 'sealing-policy' });
    const cli = await call('unseal', 'other', envelope, ['--policy', others]);
    expect(cli).toMatchObject({ code: 1, stdout: '' });
    expect(cli.stderr).toContain('(sealed-spec)');
    await host.actor.ok(['rm', '--force', 'other']);
  });

  async function signed(name: string, svn: number): Promise<string> {
    const block = host.at(`${name}.id`);
    const command = ['boot', 'sign', '--key', 'env://KEY', '--tee', 'simulate', '-o', block];
    const [set] = (await host.actor.ok(['boot', 'ls', '--quiet'])).split('\n');
    const env = { KEY: pem(idKey) };
    await host.actor.ok([...command, '--guest-svn', `${svn}`, set ?? ''], { env });
    return block;
  }

  itInSoak(
    'opens an upgradable envelope under a later SVN of the same ID key, and under no earlier one',
    async () => {
      const flags = boxFlags('upgradable');
      const [old, later] = [await signed('old', 2), await signed('later', 3)];
      const policy = await host.measure('old', [...flags, '--id-block', old], COMMAND);
      await host.run('old', [...flags, '--id-block', old], COMMAND);
      await host.run('later', [...flags, '--id-block', later], COMMAND);
      const value = Buffer.from(VALUE);
      const terms = { purpose: PURPOSE, policy: 'upgradable' } as const;
      using first = await sessionOf('old', policy);
      using second = await sessionOf('later', policy);
      const kept = await first.seal(value, terms, owner.privateKey);
      expect(Buffer.from(await second.unseal(kept, PURPOSE, owner.privateKey))).toEqual(value);
      const newer = await second.seal(value, terms, owner.privateKey);
      const opened = first.unseal(newer, PURPOSE, owner.privateKey);
      await expect(opened).rejects.toMatchObject({ code: 'sealed-svn', found: 'sealed-svn' });
      const back = await second.seal(value, { ...terms, minimumSvn: 2 }, owner.privateKey);
      expect(Buffer.from(await first.unseal(back, PURPOSE, owner.privateKey))).toEqual(value);
    },
  );
});

describe('a sealed volume', () => {
  const flags = ['--memory', '192m', '--host-may', 'exec'];
  const init = [...flags, '-v', 'data:/data:sealed,init'];
  const disk = (name: string) => join(host.actor.home, 'volumes', name, '_disk');
  const volumesOf = async (box: string) => {
    const head = 'GET /v1/volumes HTTP/1.0\r\nHost: a\r\n\r\n';
    const answer = await host.actor.ok(['exec', '-i', box, 'ask'], { stdin: head });
    return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)).volumes;
  };
  const refused = async (box: string, code: string, words: string) => {
    const start = await host.actor.run(['start', box], { deadlineMs: TIMEOUT_MS });
    expect(start.code).not.toBe(0);
    expect(start.stderr).toContain(`(${code})`);
    expect(start.stderr).toContain(words);
    expect((await host.inspect(box)).State.Error).toContain(words);
  };
  /**
   * Its workload starts after `start`: when the broker has given the key and counted the volume.
   */
  const isAtWork = (box: string) =>
    until(
      `the workload of ${box} runs`,
      async () => (await host.actor.run(['exec', box, 'true'])).code === 0,
    );
  let id: string;

  it('keeps what a box wrote when its microVM is killed, and shows the host none of it', async () => {
    for (const name of ['data', 'other']) {
      await host.actor.ok(['volume', 'create', '--opt', 'type=sealed', '--opt', 'size=64m', name]);
    }
    await host.run('keeper', init, COMMAND);
    const [made] = await volumesOf('keeper');
    expect(made).toEqual({
      name: 'data',
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      created: true,
    });
    id = made.id;
    await host.actor.ok(['exec', 'keeper', 'sh', '-c', `echo ${VALUE} > /data/kept; sync`]);
    process.kill((await host.inspect('keeper')).State.Pid, 'SIGKILL');
    await host.actor.run(['wait', 'keeper']);
    expect(holders(VALUE)).toBe('');
    await host.actor.ok(['start', 'keeper'], { deadlineMs: TIMEOUT_MS });
    expect(await host.actor.ok(['exec', 'keeper', 'cat', '/data/kept'])).toBe(VALUE);
    expect(await volumesOf('keeper')).toEqual([{ name: 'data', id, created: false }]);
    await host.actor.ok(['rm', '--force', 'keeper']);
  });

  it('gives the volume to a box that expects it by its id, and to none with another launch spec', async () => {
    const pinned = [...flags, '-v', `data:/data:sealed,id=${id}`];
    await host.run('pinned', [...flags, '-v', 'data:/data:sealed'], COMMAND);
    expect(await host.actor.ok(['exec', 'pinned', 'cat', '/data/kept'])).toBe(VALUE);
    const measured = readFileSync(await host.measure('pinned', pinned, COMMAND), 'utf8');
    expect(measured).toContain((await host.inspect('pinned')).Confidential.HostData);
    await host.actor.ok(['stop', '--time', '1', 'pinned']);
    const made = ['--tee', 'simulate', '--image-policy', host.at('images.yaml')];
    const another = [...pinned, '--deployment', 'other', IMAGE, ...COMMAND];
    await host.actor.ok(['create', '--name', 'another', ...made, ...another]);
    await refused('another', 'volume-refused', '(sealed-spec)');
    await host.actor.ok(['rm', '--force', 'another']);
  });

  /** Puts it in the place of the volume, which a start then refuses, and leaves as it is. */
  const refusesDisk = async (content: Buffer, code: string, words: string) => {
    const whole = readFileSync(disk('data'));
    writeFileSync(disk('data'), content);
    await refused('pinned', code, words);
    expect(readFileSync(disk('data')).equals(content)).toBe(true);
    writeFileSync(disk('data'), whole);
  };

  itInSoak('refuses the disk of another volume, and a cut one, and formats neither', async () => {
    const others = [...flags, '-v', 'other:/data:sealed,init'];
    await host.run('second', others, COMMAND);
    await host.actor.ok(['rm', '--force', 'second']);
    await refusesDisk(readFileSync(disk('other')), 'volume-refused', '(sealed-purpose)');
    const whole = readFileSync(disk('data'));
    const half = whole.subarray(0, whole.length / 2);
    await refusesDisk(half, 'volume-damaged', 'another length');
  });

  it('refuses an empty disk, which it does not format, and takes the volume again', async () => {
    const empty = Buffer.alloc(statSync(disk('data')).size);
    await refusesDisk(empty, 'volume-empty', 'has no header');
    await host.actor.ok(['start', 'pinned'], { deadlineMs: TIMEOUT_MS });
    expect(await host.actor.ok(['exec', 'pinned', 'cat', '/data/kept'])).toBe(VALUE);
    await host.actor.ok(['rm', '--force', 'pinned']);
  });

  itInSoak(
    'opens a volume with a key of a broker for the next image that it accepts, and for none before',
    async () => {
      await using broker = await BrokerProgram.prepare(host.actor);
      await host.actor.load('busybox');
      const size = ['--opt', 'type=sealed', '--opt', 'size=64m'];
      await host.actor.ok(['volume', 'create', ...size, 'moved']);
      const at = 'key=broker/default/keys/moved,counter=default/counters/moved';
      const made = [...flags, ...broker.flag, '-v', `moved:/data:sealed,init,${at}`];
      const permit = async (name: string, policy: string): Promise<void> => {
        const attestation = readPolicyDocument(readFileSync(policy));
        const file = host.write(
          `${name}.json`,
          JSON.stringify({ allowSimulated: true, attestation }),
        );
        await broker.administer(['policy', 'put', name, '--file', file]);
        const put = (grant: string, path: string, ...more: string[]) =>
          broker.administer(['grant', 'put', grant, '--path', path, '--policy', name, ...more]);
        await put(`${name}-keys`, 'default/keys/*');
        await put(`${name}-counters`, 'default/counters/*', '--counter');
      };
      const last = await host.measure('last', made, COMMAND);
      await broker.serve(await rootsOfProcessor(), async () => {
        await broker.administer(['volume-key', 'create', 'default/keys/moved']);
        await permit('last', last);
      });
      await host.run('last', made, COMMAND);
      await isAtWork('last');
      const [volume] = await volumesOf('last');
      await host.actor.ok(['exec', 'last', 'sh', '-c', `echo ${VALUE} > /data/kept; sync`]);
      await host.actor.ok(['rm', '--force', 'last']);

      const images = ['--image-policy', host.at('images.yaml')];
      const pinned = ['-v', `moved:/data:sealed,id=${volume.id},${at}`];
      const next = [...flags, ...images, '--tee', 'simulate', ...broker.flag, ...pinned];
      const box = [...next, BUSYBOX, ...COMMAND];
      await host.actor.ok(['measure', '--policy-out', host.at('next.yaml'), ...box]);
      await host.actor.ok(['create', '--name', 'next', ...box]);
      await refused('next', 'volume-key-refused', 'the broker answers kbs-evidence');
      await permit('next', host.at('next.yaml'));
      await host.actor.ok(['start', 'next'], { deadlineMs: TIMEOUT_MS });
      await isAtWork('next');
      expect(await host.actor.ok(['exec', 'next', 'cat', '/data/kept'])).toBe(VALUE);
      expect(JSON.parse(await broker.administer(['counter', 'ls']))).toMatchObject([
        { name: 'default/counters/moved', volume: volume.id, generation: 4 },
      ]);
      expect(holders(VALUE)).toBe('');
      await host.actor.ok(['rm', '--force', 'next']);
    },
    LONG_MS,
  );
});

itInSoak(
  'a broker in a confidential box proves what it is, and has its derived root key after a restart',
  () => keepSecretsInABox(host, VALUE, () => expect(holders(VALUE)).toBe('')),
  BROKER_MS,
);

/**
 * The certificates of the processor that the boxes have. A part of the test that runs alone makes
 * it; one that is there is the user's, whose state is read from a copy.
 */
async function rootsOfProcessor(): Promise<Buffer> {
  const directory = join(host.actor.home, 'simulated');
  const stateFile = join(directory, 'processor.json');
  if (!existsSync(directory)) {
    const made = await openSimulatedProcessor({ stateFile });
    host.actor.own(directory, stateFile);
    return Buffer.from(made.roots().pem);
  }
  const copy = mkdtempSync(join(tmpdir(), 'a3s-roots-'));
  try {
    const state = join(copy, 'processor.json');
    writeFileSync(state, readFileSync(stateFile), { mode: 0o600 });
    return Buffer.from((await openSimulatedProcessor({ stateFile: state })).roots().pem);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

it('refuses plain boxes, and boxes whose launch spec permits no sealing, by name', async () => {
  const policy = await host.measure('none', [], COMMAND);
  const images = ['--image-policy', host.at('images.yaml')];
  await host.actor.ok(['create', '--name', 'plain', ...images, IMAGE, ...COMMAND]);
  await host.actor.ok(['create', '--name', 'none', '--tee', 'simulate', ...images, IMAGE, 'true']);
  for (const [box, code] of [
    ['plain', 'unsupported-option'],
    ['none', 'sealing-not-permitted'],
  ] as const) {
    const refused = await call('seal', box, VALUE, ['--policy', policy]);
    expect(refused.stdout).toBe('');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(`(${code})`);
    expect(refused.stderr).toContain(box);
  }
});

/** Names of files of this home that hold a text. */
function holders(text: string): string {
  try {
    return execFileSync('grep', ['-rlaF', text, host.actor.home], { encoding: 'utf8' });
  } catch (error) {
    // It found none.
    if (error instanceof Error && 'status' in error && error.status === 1) return '';
    throw error;
  }
}
