/**
 * What makes the fake agent that of a confidential guest: the launch spec, what it lets the host
 * do, and secrets.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { type HostPermission, LaunchSpec, launchSpecText } from '@a3s-box/policies';
import { hostDataOf } from '@a3s-box/policies/host-data';
import type { Tee } from '../../engine/vm/confidential-launch.ts';
import type { GuestNetworks } from '../networks.ts';
import { type LaunchSpecTaken, MAX_CERTIFICATES, type SecretsReport } from '../protocol.ts';
import { closing, json, readBytes } from './fake-agent-streams.ts';
import type { FakeProcess } from './fake-process.ts';
import { FakeRefusal } from './fake-refusal.ts';

export interface FakeConfidentialOptions {
  readonly tee: Tee;
  /** What the processor's reports have as HOST_DATA. */
  readonly hostData: Uint8Array;
  /** Refuses the launch spec. */
  readonly refuse?: FakeRefusal | undefined;
  /** Answers with this digest, whatever it took. */
  readonly claims?: string | undefined;
  /** What it says of sealed volumes. */
  readonly volumes?: LaunchSpecTaken['volumes'];
  /** Takes over a connection to its RA-TLS server, which sends everything back otherwise. */
  readonly ratls?: ((stream: ServerHttp2Stream) => void) | undefined;
  /** Uses a connection to its broker; without it the agent makes none. */
  readonly broker?: ((stream: ServerHttp2Stream) => void) | undefined;
}

const MAX_SPEC = 4 * 1024 * 1024;

/** What each route needs; any of them is enough. */
const NEEDED: readonly (readonly [RegExp, readonly HostPermission[]])[] = [
  [/^POST \/v1\/processes$/, ['exec']],
  [/^\S+ \/v1\/processes\/(?!main\b)/, ['exec']],
  [/^POST \/v1\/processes\/main\/output$/, ['logs', 'attach']],
  [/^\S+ \/v1\/processes\/main\/(stdin|resize)$/, ['attach']],
  [/^GET \/v1\/(stats|top)$/, ['stats']],
  [/^POST \/v1\/(freeze|thaw)$/, ['signals']],
];

export class FakeConfidential {
  readonly tee: Tee;
  readonly instance = randomBytes(16).toString('hex');
  specDigest = '';
  spec: LaunchSpec | undefined;
  certificates: Buffer | undefined;
  readonly #options: FakeConfidentialOptions;
  readonly #delivered = new Set<string>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #version = 1;
  #state: SecretsReport['state'] = 'none';
  #main: FakeProcess | undefined;
  #start: () => void = () => undefined;

  constructor(options: FakeConfidentialOptions) {
    this.#options = options;
    this.tee = options.tee;
  }

  /** Takes the spec of these bytes. A real guest that refuses ends then. */
  async take(stream: ServerHttp2Stream): Promise<LaunchSpec> {
    if (this.spec !== undefined) throw new FakeRefusal('conflict', 'the spec was already taken');
    const bytes = await readBytes(stream, MAX_SPEC);
    if (this.#options.refuse !== undefined) throw this.#options.refuse;
    const digest = createHash('sha256').update(bytes).digest();
    const spec = LaunchSpec.parse(JSON.parse(bytes.toString()));
    const hostData = hostDataOf(digest.toString('hex'), spec.confinement.privileged === true);
    if (hostData !== Buffer.from(this.#options.hostData).toString('hex')) {
      throw new FakeRefusal('launch-spec-mismatch', 'it is not what HOST_DATA is of');
    }
    if (launchSpecText(spec) !== bytes.toString()) {
      throw new FakeRefusal('launch-spec-malformed', 'it is not canonical');
    }
    this.spec = spec;
    this.specDigest = this.#options.claims ?? digest.toString('hex');
    const isCounted = spec.volumes?.some(({ counter }) => counter !== undefined) === true;
    this.#state = spec.secrets.length === 0 && !isCounted ? 'none' : 'waiting';
    return spec;
  }

  /** How it answers a launch spec that it has taken. */
  get taken(): LaunchSpecTaken {
    const { volumes } = this.#options;
    const { specDigest, instance } = this;
    return { specDigest, instance, ...(volumes === undefined ? {} : { volumes }) };
  }

  async takeCertificates(stream: ServerHttp2Stream): Promise<void> {
    this.certificates = await readBytes(stream, MAX_CERTIFICATES);
    json(stream, 204);
  }

  /** Starts the main process, at once or when its secrets are there. */
  begin(main: FakeProcess, start: () => void): void {
    this.#main = main;
    this.#start = start;
    if (this.#state !== 'waiting') start();
    else main.waiting = true;
  }

  /** A secret arrives over RA-TLS. */
  deliver(name: string): void {
    this.#delivered.add(name);
    const all = this.spec?.secrets.every((secret) => this.#delivered.has(secret.name)) === true;
    if (all) this.#state = 'ready';
    this.#changed();
    if (all) this.#start();
  }

  /** The broker confirms the generations of its volumes, and it waits for no secret. */
  count(): void {
    this.#state = 'ready';
    this.#changed();
    this.#start();
  }

  /** The deadline passes. */
  expire(): void {
    this.#state = 'expired';
    this.#changed();
    const message = 'the secrets did not arrive in time';
    this.#main?.give(125, { code: 'secrets-deadline', message });
  }

  /** A secret will not come. */
  refuse(code: string, message: string): void {
    this.#state = code === 'secret-refused' ? 'refused' : 'expired';
    this.#changed();
    this.#main?.give(125, { code, message });
  }

  async report(stream: ServerHttp2Stream, query: URLSearchParams): Promise<void> {
    const gone = closing(stream);
    while (query.get('seen') === String(this.#version) && !gone.aborted) {
      await once(this.#changes, 'change', { signal: gone }).catch(() => undefined);
    }
    const secrets = (this.spec?.secrets ?? []).map(({ name }) => ({
      name,
      delivered: this.#delivered.has(name),
    }));
    json(stream, 200, { version: this.#version, state: this.#state, secrets });
  }

  async serveRatls(stream: ServerHttp2Stream): Promise<void> {
    stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
    if (this.#options.ratls === undefined) stream.pipe(stream);
    else this.#options.ratls(stream);
  }

  /** Answers as long as there is something to fetch. */
  async connectBroker(stream: ServerHttp2Stream): Promise<void> {
    if (this.spec?.broker === undefined || this.#state !== 'waiting') {
      throw new FakeRefusal('conflict', 'there is nothing to fetch');
    }
    stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
    this.#options.broker?.(stream);
  }

  checkPermission(method: string, path: string): void {
    for (const [route, permissions] of NEEDED) {
      if (route.test(`${method} ${path}`)) this.#expect(permissions);
    }
  }

  /** A real guest checks addresses too. */
  checkNetworks({ cards, hosts, search, options }: GuestNetworks): void {
    const { hostNetworks = 0, hostNames } = this.spec ?? {};
    const isForeign = hosts?.some(({ name }) => hostNames?.includes(name) !== true) === true;
    const isNamed = hosts !== undefined && (hostNames === undefined || isForeign);
    const isResolver = options !== undefined || search.length > 0;
    if (cards.length <= hostNetworks && hostNetworks > 0 && !isNamed && !isResolver) return;
    throw new FakeRefusal('networks-not-permitted', 'the launch spec lacks hostNetworks');
  }

  checkSignal(signal: string): void {
    if (signal === 'SIGKILL' || signal === this.spec?.stopSignal) return;
    this.#expect(['signals']);
  }

  #expect(permissions: readonly HostPermission[]): void {
    if (permissions.some((each) => this.spec?.hostMay.includes(each) === true)) return;
    throw new FakeRefusal('host-not-permitted', `the launch spec lacks ${permissions.join(', ')}`);
  }

  #changed(): void {
    this.#version += 1;
    this.#changes.emit('change');
  }
}
