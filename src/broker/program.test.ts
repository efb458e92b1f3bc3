import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyExport } from './audit/verify-export.ts';
import { testCertificate } from './testing/certificate.ts';
import { adminCall, person, SERVER, testYaml } from './testing/test-broker.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = mkdtempSync(join(tmpdir(), 'a3s-broker-bundle-'));
const MAIN = join(PROGRAM, 'broker.cjs');
const OPTIONS = { env: { ...process.env, NODE_PATH: join(ROOT, 'node_modules') } };

// A bundle starts several times as fast as its sources.
beforeAll(async () => {
  await build({
    ...{ entryPoints: [join(import.meta.dirname, 'main.ts')], outfile: MAIN },
    ...{ bundle: true, platform: 'node', target: 'node20', format: 'cjs' },
    ...{
      conditions: ['a3s-source'],
      external: ['better-sqlite3', 'koffi', 'pg-native'],
      logLevel: 'silent',
    },
  });
});
afterAll(() => rmSync(PROGRAM, { recursive: true }));

let directory: string;
let config: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-broker-program-'));
  config = join(directory, 'broker.yaml');
  const roots = readFileSync(join(ROOT, 'test/vectors/roots.pem'));
  const limits = 'requestsPerSecond: 10000, burst: 10000';
  const files = {
    'broker.yaml': testYaml({ limits }),
    'tls.crt': SERVER.cert,
    'tls.key': SERVER.key,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  writeFileSync(join(directory, 'roots.pem'), roots);
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child, 'SIGKILL');
  rmSync(directory, { recursive: true });
});

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  return child.exitCode;
}

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { ...OPTIONS, encoding: 'utf8' });
}

interface Served {
  readonly child: ChildProcess;
  readonly admin: number;
}

async function serve(): Promise<Served> {
  const args = [MAIN, 'serve', '--config', config];
  const child = spawn(process.execPath, args, { ...OPTIONS, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  if (child.stdout === null) throw new Error('it has an output');
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, admin: JSON.parse(line).serving.admin };
  }
  throw new Error('the broker ended before it served');
}

const SECRETS = '/v1/tenants/default/secrets';

describe('the program of the broker', () => {
  it('makes keys once, and serves with none that are missing', async () => {
    const first = run('init', '--config', config);
    expect(first.status).toBe(0);
    expect(first.stdout).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    const again = run('init', '--config', config);
    expect(again).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('(broker-conflict)'),
    });
    rmSync(join(directory, 'root.key'));
    const without = run('serve', '--config', config);
    expect(without).toMatchObject({ status: 2, stderr: expect.stringContaining('(root-key)') });
  });

  it('does not serve a store that another broker serves, and ends in order on a signal', async () => {
    const publicKey = run('init', '--config', config).stdout;
    const { child, admin } = await serve();
    const another = run('serve', '--config', config);
    expect(another.stderr).toContain('(broker-running)');
    await adminCall(admin, 'PUT', `${SECRETS}/a/b/c`, Buffer.from('x'), person('alice'));
    const { body } = await adminCall(admin, 'GET', '/v1/audit/export', undefined, person('olga'));
    const lines = (body['lines'] as object[] | undefined) ?? [body];
    const [log, key] = [join(directory, 'log'), join(directory, 'audit.pem')];
    writeFileSync(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    writeFileSync(key, publicKey);
    expect(run('verify', '--log', log, '--key', key)).toMatchObject({
      status: 0,
      stdout: '2 entries, 2 of them signed: good\n',
    });
    const text = readFileSync(log, 'utf8').split('\n');
    const [first = '', second = '', checkpoint = ''] = text;
    const verify = (content: readonly string[], ...args: readonly string[]) => {
      writeFileSync(log, content.map((line) => `${line}\n`).join(''));
      return run('verify', '--log', log, '--key', key, ...args);
    };
    const unsigned = { status: 3, stdout: '2 entries, 0 of them signed: unsigned\n' };
    expect(verify([first, second])).toMatchObject(unsigned);
    expect(verify([first, second], '--allow-unsigned-tail')).toMatchObject(unsigned);
    await adminCall(admin, 'PUT', `${SECRETS}/a/b/c`, Buffer.from('x'), person('alice'));
    const later = await adminCall(admin, 'GET', '/v1/audit/export', undefined, person('olga'));
    const third = JSON.stringify((later.body['lines'] as object[])[2]);
    const tail = [first, second, third, checkpoint];
    expect(verify(tail)).toMatchObject({
      status: 3,
      stdout: '3 entries, 2 of them signed: unsigned\n',
    });
    expect(verify(tail, '--allow-unsigned-tail')).toMatchObject({
      status: 0,
      stdout: '3 entries, 2 of them signed: good\n',
    });
    writeFileSync(log, text.join('\n'));
    writeFileSync(log, readFileSync(log, 'utf8').replace('secret-put', 'secret-gut'));
    expect(run('verify', '--log', log, '--key', key)).toMatchObject({
      status: 1,
      stdout: 'entry 1 is bad: it was edited: its hash is another\n',
    });
    expect(await kill(child, 'SIGTERM')).toBe(0);
  });

  it('loses no acknowledged change, and records each once, when it is killed at any moment', async () => {
    run('init', '--config', config);
    const acknowledged = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      const { child, admin } = await serve();
      const writers = [0, 1, 2, 3].map(async (writer) => {
        for (let n = 0; ; n += 1) {
          const path = `r${round}/w${writer}/n${n}`;
          const put = adminCall(
            admin,
            'PUT',
            `${SECRETS}/${path}`,
            Buffer.from(path),
            person('alice'),
          );
          // The broker is gone: whether this change was made, nobody was told.
          const answer = await put.catch(() => undefined);
          if (answer === undefined) return;
          expect(answer.status).toBe(200);
          acknowledged.add(path);
          if (acknowledged.size >= 20 * (round + 1)) void kill(child, 'SIGKILL');
        }
      });
      await Promise.all(writers);
    }
    const { admin, child } = await serve();
    const { body } = await adminCall(admin, 'GET', SECRETS, undefined, person('alice'));
    const kept = (body['secrets'] as { name: string; version: number }[]).map(({ name }) => name);
    expect(kept).toEqual(expect.arrayContaining([...acknowledged]));
    await kill(child, 'SIGTERM');

    const database = new Database(join(directory, 'broker.db'), { readonly: true });
    const entries = database.prepare<[], { body: string }>('SELECT body FROM audit').all();
    const exported = database.prepare('SELECT seq, body, hash FROM audit ORDER BY seq').all();
    const signed = database.prepare<[], { text: string }>('SELECT text FROM checkpoints').all();
    database.close();
    const puts = entries.map(({ body: text }) => JSON.parse(text));
    const objects = puts
      .filter(({ action }) => action === 'secret-put')
      .map(({ object }) => object);
    // Each secret was put once: there is an entry for each, and none twice.
    expect(objects.toSorted()).toEqual(kept.toSorted());
    const log = join(directory, 'log');
    const lines = [
      ...exported.map((entry) => JSON.stringify(entry)),
      ...signed.map(({ text }) => text),
    ];
    writeFileSync(log, `${lines.join('\n')}\n`);
    const key = join(directory, 'audit.pem');
    writeFileSync(key, testCertificate('nobody').cert);
    await expect(verifyExport({ log, key })).rejects.toMatchObject({ code: 'broker-config' });
    const publicKey = spawnSync('openssl', [
      'pkey',
      '-in',
      join(directory, 'audit.key'),
      '-pubout',
    ]);
    writeFileSync(key, publicKey.stdout);
    expect(await verifyExport({ log, key })).toEqual({
      entries: entries.length,
      signed: entries.length,
    });
  });
});
