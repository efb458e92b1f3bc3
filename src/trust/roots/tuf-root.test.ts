import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../canonical-json.ts';
import { loadPolicy } from '../policy/load-policy.ts';
import type { Requirement } from '../policy.ts';
import { SHIPPED_ROOT } from './shipped-root.ts';
import { fetchTufRoot } from './tuf-root.ts';

const DAY = 24 * 60 * 60 * 1000;
const TRUSTED_ROOT = JSON.stringify(SHIPPED_ROOT);

/** A TUF repository that one key signs for all roles. */
class Mirror {
  readonly files = new Map<string, string>();
  readonly asked: string[] = [];
  readonly #key = generateKeyPairSync('ed25519');
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? '';
      this.asked.push(path);
      const file = this.files.get(path);
      response.writeHead(file === undefined ? 404 : 200).end(file);
    });
    this.publish({});
  }

  /** Publishes new metadata that expires after `days`. */
  publish({ days = 1, target = TRUSTED_ROOT }: { days?: number; target?: string }): void {
    const expires = new Date(Date.now() + days * DAY).toISOString().replace(/\.\d+/, '');
    const common = { spec_version: '1.0.0', version: 1, expires };
    const hash = createHash('sha256').update(target).digest('hex');
    const { length } = Buffer.from(target);
    const meta = (name: string) => ({ [name]: { version: 1 } });
    const put = (path: string, signed: object) => this.files.set(path, this.#signed(signed));
    put('/timestamp.json', { _type: 'timestamp', ...common, meta: meta('snapshot.json') });
    put('/1.snapshot.json', { _type: 'snapshot', ...common, meta: meta('targets.json') });
    const targets = { 'trusted_root.json': { length, hashes: { sha256: hash } } };
    put('/1.targets.json', { _type: 'targets', ...common, targets });
    this.files.set(`/targets/${hash}.trusted_root.json`, target);
  }

  get root(): string {
    const raw = rawOf(this.#key.publicKey);
    const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } };
    const role = { keyids: [keyId(key)], threshold: 1 };
    return this.#signed({
      ...{ _type: 'root', spec_version: '1.0.0', version: 1, consistent_snapshot: true },
      expires: new Date(Date.now() + 365 * DAY).toISOString().replace(/\.\d+/, ''),
      keys: { [keyId(key)]: key },
      roles: { root: role, timestamp: role, snapshot: role, targets: role },
    });
  }

  #signed(signed: object): string {
    const raw = rawOf(this.#key.publicKey);
    const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } };
    const signature = sign(null, Buffer.from(canonicalJson(signed)), this.#key.privateKey);
    const signatures = [{ keyid: keyId(key), sig: signature.toString('hex') }];
    return JSON.stringify({ signed, signatures });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function rawOf(key: KeyObject): string {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex');
}

function keyId(key: object): string {
  return createHash('sha256').update(canonicalJson(key)).digest('hex');
}

describe('a trusted root from a TUF mirror', () => {
  let cache: string;
  let mirror: Mirror;
  let url: string;

  beforeEach(async () => {
    cache = mkdtempSync(join(tmpdir(), 'a3s-tuf-'));
    mirror = new Mirror();
    url = await mirror.listen();
  });

  afterEach(async () => {
    await mirror.close();
    rmSync(cache, { recursive: true });
  });

  async function requirement(root: string): Promise<Requirement> {
    writeFileSync(join(cache, 'root.json'), root);
    const document = {
      trustedRoots: { own: { tuf: url, root: 'root.json' } },
      images: [
        {
          pattern: '**',
          require: [{ identities: [{ issuer: 'https://i', subject: 'a@b' }], trustedRoot: 'own' }],
        },
      ],
    };
    const text = JSON.stringify(document);
    const given = { source: 'call', path: undefined, text, directory: cache } as const;
    const { rules } = await loadPolicy(given, { tufCache: join(cache, 'tuf') });
    const [rule] = rules;
    const first = rule?.action === 'require' ? rule.require[0] : undefined;
    if (first === undefined) throw new TypeError('no requirement');
    return first;
  }

  it('fetches a TUF root when a decision needs it, and not again while its metadata is valid', async () => {
    const { trustMaterial } = await requirement(mirror.root);
    expect(mirror.asked).toEqual([]);
    expect((await trustMaterial()).tlogs).toHaveLength(2);
    const { length } = mirror.asked;
    await trustMaterial();
    expect(mirror.asked).toHaveLength(length);
  });

  it('refuses a TUF root of a loaded policy once its metadata has expired', async () => {
    mirror.publish({ days: 2 / 24 / 60 / 60 });
    const { trustMaterial } = await requirement(mirror.root);
    expect((await trustMaterial()).tlogs).toHaveLength(2);
    await expect
      .poll(() => trustMaterial().then(() => 'trusted', String), { timeout: 10_000 })
      .toContain('timestamp.json is expired');
  });

  it('uses the cached TUF root without the mirror until its metadata expires', async () => {
    const source = { mirror: url, root: mirror.root };
    const first = await fetchTufRoot(source, cache);
    await mirror.close();
    expect(await fetchTufRoot(source, cache)).toBe(first);
  });

  it('refuses a TUF root whose metadata has expired, and names it', async () => {
    mirror.publish({ days: -1 });
    const { trustMaterial } = await requirement(mirror.root);
    await expect(trustMaterial()).rejects.toMatchObject({
      code: 'policy-invalid',
      message: expect.stringMatching(
        /^Cannot use the trusted root own of the image policy: .*expired/,
      ),
    });
  });

  it('refuses a TUF root of a mirror that another key signs, and retries at the next decision', async () => {
    const stranger = new Mirror();
    const { trustMaterial } = await requirement(stranger.root);
    await expect(trustMaterial()).rejects.toMatchObject({ code: 'policy-invalid' });
    await expect(trustMaterial()).rejects.toMatchObject({ code: 'policy-invalid' });
  });

  it('refuses a TUF root of a mirror that is unreachable, empty or malformed', async () => {
    const { trustMaterial } = await requirement(mirror.root);
    mirror.publish({ target: '{}' });
    await expect(trustMaterial()).rejects.toThrow('its mediaType is not that of one');
    mirror.files.clear();
    rmSync(join(cache, 'tuf'), { recursive: true });
    await expect(trustMaterial()).rejects.toThrow(`the mirror ${url} gave none: `);
    await mirror.close();
    await expect(trustMaterial()).rejects.toThrow(`the mirror ${url} gave none: `);
  });

  it.each([
    ['x', 'its root is not JSON'],
    ['{"signed":{}}', 'its root is no root.json of TUF'],
    ['null', 'its root is no root.json of TUF'],
  ])('refuses a policy whose initial TUF root is %s', async (root, message) => {
    await expect(requirement(root)).rejects.toMatchObject({
      code: 'policy-invalid',
      message: expect.stringContaining(`trustedRoots.own: ${message}`),
    });
  });

  it('refuses an initial TUF root that is not signed', async () => {
    const { signed } = JSON.parse(mirror.root);
    const { trustMaterial } = await requirement(JSON.stringify({ signed, signatures: [] }));
    await expect(trustMaterial()).rejects.toThrow('Cannot use the trusted root own');
  });

  it('recovers from a TUF cache that a crash has truncated', async () => {
    const source = { mirror: url, root: mirror.root };
    const first = await fetchTufRoot(source, cache);
    const [directory = ''] = readdirSync(cache);
    const [metadata = ''] = readdirSync(join(cache, directory)).filter((name) =>
      name.includes('%'),
    );
    for (const name of ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json']) {
      writeFileSync(join(cache, directory, metadata, name), '{"signed":');
    }
    writeFileSync(join(cache, directory, metadata, 'targets/trusted_root.json'), '');
    expect(await fetchTufRoot(source, cache)).toBe(first);
  });

  it('fetches a TUF root once for concurrent callers, and separately for each initial root', async () => {
    const source = { mirror: url, root: mirror.root };
    const [one, two] = await Promise.all([
      fetchTufRoot(source, cache),
      fetchTufRoot(source, cache),
    ]);
    expect(one).toBe(two);
    expect(mirror.asked.filter((path) => path === '/timestamp.json')).toHaveLength(1);
    await fetchTufRoot({ ...source, root: `${mirror.root}\n` }, cache);
    expect(readdirSync(cache)).toHaveLength(2);
  });
});
