/**
 * The guest agent in TypeScript, for tests: the whole protocol over any byte stream, with scripted
 * programs instead of processes. Its state outlives a connection, as the real one's does.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { BoxSpec, type ContainerSpec, Resources } from '@a3s-box/policies';
import { GuestNetworks } from '../networks.ts';
import {
  type Fork,
  type GuestState,
  MAIN,
  PROTOCOL,
  PROTOCOL_HEADER,
  type Reseed,
  Signal,
  StartProcess,
  TerminalSize,
} from '../protocol.ts';
import type { FakeAgentOptions } from './fake-agent-options.ts';
import { closing, json, readJson, refuse, sendFrames, takeStdin } from './fake-agent-streams.ts';
import { FakeConfidential } from './fake-confidential.ts';
import { FakeContainers } from './fake-containers.ts';
import { fakeStats, fakeTop } from './fake-counters.ts';
import { FakeFiles } from './fake-files.ts';
import { FakeIdentity } from './fake-identity.ts';
import { FakeProbe } from './fake-probe.ts';
import { FakeProcess, type FakeProgram, signalName } from './fake-process.ts';
import { fakePrograms, findProgram } from './fake-programs.ts';
import { FakeRefusal } from './fake-refusal.ts';
import { hasRoute, isOrdered } from './fake-routes.ts';
import { FakeSockets } from './fake-sockets.ts';
import { buffered } from './fake-streams.ts';

const JSON_BYTES = 64 * 1024;
const DOCUMENT_BYTES = 4 * 1024 * 1024;

type Handler = (
  stream: ServerHttp2Stream,
  match: RegExpExecArray,
  query: URLSearchParams,
  version: number,
) => Promise<void>;

export class FakeAgent {
  /** The spec as it was taken, for assertions. */
  spec: BoxSpec | undefined;
  /** The limits that the box is held to: the spec's, or those that replaced them. */
  resources: Resources = {};
  /** The networks that replaced those of the spec. */
  networks: GuestNetworks | undefined;
  /** The ids of processes that have a control group of their own. */
  readonly grouped = new Set<string>();
  /** The ids of processes that have all capabilities. */
  readonly privileged = new Set<string>();
  /**
   * No process of the box runs, or is started: programs run on here, but no signal except SIGKILL
   * reaches them.
   */
  frozen = false;
  /** Of a confidential guest. */
  readonly confidential: FakeConfidential | undefined;
  /** Settles when the host ordered the power off, or the guest ended by itself. */
  readonly poweredOff: Promise<void>;
  /** What the program `probe` does, from now on. */
  readonly probe = new FakeProbe();
  readonly files = new FakeFiles();
  readonly sockets = new FakeSockets();
  /** Of a guest that has a pod in place of a box. */
  readonly containers: FakeContainers<FakeAgent>;
  readonly #options: FakeAgentOptions;
  readonly #programs: Readonly<Record<string, FakeProgram>>;
  readonly #processes = new Map<string, FakeProcess>();
  readonly #routes: readonly [string, RegExp, Handler][];
  #specDigest: GuestState['spec'] = null;
  #nextPid = 1;
  #connection: ServerHttp2Session | undefined;
  #powerOff: () => void = () => undefined;
  #stopping = false;
  /** What was signalled while the box was frozen. */
  #signalled: (() => void)[] = [];
  readonly #identity: FakeIdentity;
  /** Settles when the requests that others wait for are answered. */
  #order: Promise<unknown> = Promise.resolve();

  constructor(options: FakeAgentOptions = {}) {
    this.#options = options;
    this.#identity = new FakeIdentity(options.paused === true, options.refuseWarmUp);
    this.#programs = fakePrograms({ probe: this.probe.program, ...options.programs });
    this.poweredOff = new Promise((resolve) => {
      this.#powerOff = resolve;
    });
    this.confidential =
      options.confidential === undefined ? undefined : new FakeConfidential(options.confidential);
    this.containers = new FakeContainers(() => new FakeAgent({ ...options, paused: false }));
    if (options.forkOf !== undefined) this.#goOn(options.forkOf);
    const id = '/v1/processes/([a-z0-9]{1,64})';
    this.#routes = [
      ['POST', /^\/v1\/prepare$/, async (s) => this.#identity.prepare(s, this.#copied())],
      ['POST', /^\/v1\/rehearse$/, (stream) => this.#identity.warmUp(stream)],
      ['POST', /^\/v1\/wake$/, (stream) => this.#identity.reseed(stream)],
      ['POST', /^\/v1\/fork$/, (stream) => this.#identity.fork(stream, this.#copied())],
      ['POST', /^\/v1\/freeze$/, async (stream) => this.#freeze(stream, true)],
      ['POST', /^\/v1\/thaw$/, async (stream) => this.#freeze(stream, false)],
      ['GET', /^\/v1\/state$/, async (s) => json(s, 200, this.describe())],
      ['PUT', /^\/v1\/spec$/, (stream) => this.#putSpec(stream)],
      ['PUT', /^\/v1\/pod$/, (stream) => this.containers.takePod(stream, digestOf)],
      ['GET', /^\/v1\/containers$/, async (stream) => this.containers.list(stream)],
      ['POST', /^\/v1\/processes$/, (s, _, __, version) => this.#startProcess(s, version)],
      ['POST', /^\/v1\/processes\/main\/start$/, (stream) => this.#startMain(stream)],
      ['GET', new RegExp(`^${id}$`), async (s, m) => json(s, 200, this.#find(m).describe())],
      ['DELETE', new RegExp(`^${id}$`), async (s, m) => this.#forget(s, m)],
      ['GET', new RegExp(`^${id}/exit$`), (s, m) => this.#exit(s, m)],
      ['GET', new RegExp(`^${id}/ended$`), (s, m) => this.#exit(s, m)],
      ['POST', new RegExp(`^${id}/output$`), (s, m, q) => sendFrames(s, this.#find(m), q)],
      ['PUT', new RegExp(`^${id}/stdin$`), (s, m) => takeStdin(s, this.#find(m))],
      ['POST', new RegExp(`^${id}/signal$`), (s, m) => this.#signal(s, m)],
      ['POST', new RegExp(`^${id}/resize$`), (s, m) => this.#resize(s, m)],
      ...this.files.routes,
      ['POST', /^\/v1\/sockets\/connect$/, (s, _, query) => this.sockets.connect(s, query)],
      ['POST', /^\/v1\/sockets\/dial$/, (s, _, query) => this.sockets.dialed(s, query)],
      ['POST', /^\/v1\/sockets\/accept$/, (s, _, query) => this.sockets.accept(s, query)],
      ['GET', /^\/v1\/stats$/, (s, _, __, version) => this.#stats(s, version)],
      ['GET', /^\/v1\/top$/, async (s) => this.#top(s)],
      ['PUT', /^\/v1\/resources$/, (stream) => this.#putResources(stream)],
      ['PUT', /^\/v1\/networks$/, (stream) => this.#putNetworks(stream)],
      ['POST', /^\/v1\/poweroff$/, (stream) => this.#poweroff(stream)],
      ['PUT', /^\/v1\/launch-spec$/, (stream) => this.#putLaunchSpec(stream)],
      ['PUT', /^\/v1\/certificates$/, (s) => this.#confidential().takeCertificates(s)],
      ['GET', /^\/v1\/secrets$/, (s, _, q) => this.#confidential().report(s, q)],
      ['POST', /^\/v1\/ratls$/, (s) => this.#confidential().serveRatls(s)],
      ['POST', /^\/v1\/broker$/, (s) => this.#confidential().connectBroker(s)],
    ];
  }

  /** The identity that the agent was given after a start from a template. */
  get reseeded(): Reseed | undefined {
    return this.#identity.reseeded;
  }

  /** The last identity that a fork was given. */
  get forked(): Fork | undefined {
    return this.#identity.forked;
  }

  /** What the last warm-up ran. */
  get warmedUp(): BoxSpec | undefined {
    return this.#identity.warmedUp;
  }

  /** Serves a host on `duplex`; an earlier one is cut off. */
  serve(duplex: Duplex): void {
    this.#connection?.destroy();
    const socket = buffered(duplex);
    const connection = performServerHandshake(socket, { settings: { maxConcurrentStreams: 256 } });
    this.#connection = connection;
    // A host that vanishes is the ordinary end of a connection.
    connection.on('error', () => connection.destroy());
    socket.on('close', () => connection.destroy());
    connection.on('stream', (stream, headers) => {
      stream.on('error', () => stream.destroy());
      this.answer(stream, headers);
    });
  }

  /** Answers one request of a connection that somebody else keeps. */
  answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#answer(stream, headers).catch((error: unknown) => refuse(stream, error));
  }

  /** Cuts the connection, as a dying host or VM does. */
  disconnect(): void {
    this.#connection?.destroy();
  }

  /** Kills every process, as the end of the VM does. */
  kill(): void {
    this.#stopping = true;
    for (const process of this.#processes.values()) {
      if (process.state === 'running') process.kill('SIGKILL');
    }
    this.containers.kill();
  }

  async #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const url = new URL(String(headers[':path']), 'http://guest');
    const method = String(headers[':method']);
    const { minimum, maximum } = this.#options.protocol ?? PROTOCOL;
    if (method === 'GET' && url.pathname === '/v1/hello') {
      const protocol = { minimum, maximum };
      const bootId = this.#identity.paused ? '' : 'fake';
      const uptimeUsec = Math.round(performance.now() * 1000 * (this.#options.clockRate ?? 1));
      const own = this.confidential === undefined ? { uptimeUsec } : { tee: this.confidential.tee };
      json(stream, 200, { protocol, agent: '0.0.0-fake', kernel: '6.12.0-fake', bootId, ...own });
      return;
    }
    const version = Number(headers[PROTOCOL_HEADER]);
    if (!(version >= minimum && version <= maximum)) {
      throw new FakeRefusal('protocol-unsupported', `protocol ${headers[PROTOCOL_HEADER]}`);
    }
    if (version >= 12 && this.containers.has(url.pathname)) {
      return await this.#inOrder(method, url.pathname, () => {
        this.#identity.checkResumed(url.pathname);
        return this.containers.answer(stream, headers);
      });
    }
    for (const [routeMethod, pattern, handler] of this.#routes) {
      const match = pattern.exec(url.pathname);
      if (match === null || method !== routeMethod) continue;
      if (!hasRoute(url.pathname, version, this.confidential !== undefined)) continue;
      this.confidential?.checkPermission(method, url.pathname);
      return await this.#inOrder(method, url.pathname, async () => {
        this.#identity.checkResumed(url.pathname);
        await handler(stream, match, url.searchParams, version);
      });
    }
    throw new FakeRefusal('not-found', `no route ${method} ${url.pathname}`);
  }

  /** What sets up or starts is done in the order of the requests, and all else after it. */
  async #inOrder(method: string, path: string, answer: () => Promise<void>): Promise<void> {
    const before = this.#order;
    const run = before.then(answer);
    if (isOrdered(method, path)) this.#order = run.catch(() => undefined);
    await run;
  }

  #expectSpec(): void {
    if (this.#specDigest === null) throw new FakeRefusal('spec-missing', 'no spec was put');
  }

  #find(match: RegExpExecArray): FakeProcess {
    this.#expectSpec();
    const process = this.#processes.get(match[1] ?? '');
    if (process === undefined) throw new FakeRefusal('not-found', `no process ${match[1]}`);
    return process;
  }

  /** The main process starts from its beginning here; a real one would not notice anything. */
  #goOn(spec: BoxSpec): void {
    this.spec = spec;
    this.resources = spec.resources;
    this.#specDigest = `sha256:${'0'.repeat(64)}`;
    const main = new FakeProcess(MAIN, spec.process);
    this.#processes.set(MAIN, main);
    this.#start(main, true);
    this.frozen = true;
  }

  #copied(): { hasSpec: boolean; mainRuns: boolean; frozen: boolean } {
    const mainRuns = this.#processes.get(MAIN)?.state === 'running';
    return { hasSpec: this.#specDigest !== null, mainRuns, frozen: this.frozen };
  }

  #freeze(stream: ServerHttp2Stream, frozen: boolean): void {
    if (frozen) this.#expectSpec();
    this.frozen = frozen;
    if (!frozen) for (const signal of this.#signalled.splice(0)) signal();
    json(stream, 204);
  }

  /** As a program of the guest would. */
  signalMain(name: string): void {
    this.#processes.get(MAIN)?.kill(name);
  }

  /** What it answers about its state. */
  describe(): GuestState {
    const processes = [...this.#processes.values()].map((process) => process.describe());
    return { spec: this.#specDigest, processes };
  }

  /** Takes the spec of a container in place of a box spec. Returns its digest. */
  takeContainer({ resources, process }: ContainerSpec, bytes: Buffer): string {
    if (this.#options.refuseSpec !== undefined) throw this.#options.refuseSpec;
    this.resources = resources;
    this.#specDigest = digestOf(bytes);
    this.#processes.set(MAIN, new FakeProcess(MAIN, process));
    return this.#specDigest;
  }

  async #putSpec(stream: ServerHttp2Stream): Promise<void> {
    const { value, bytes } = await readJson(stream, BoxSpec, DOCUMENT_BYTES);
    const digest = digestOf(bytes);
    if (this.#specDigest === null) {
      if (this.#options.refuseSpec !== undefined) throw this.#options.refuseSpec;
      this.spec = value;
      this.resources = value.resources;
      this.#specDigest = digest;
      this.#processes.set(MAIN, new FakeProcess(MAIN, this.spec.process));
    } else if (this.#specDigest !== digest) {
      throw new FakeRefusal('conflict', 'the spec was already taken');
    }
    json(stream, 200, { spec: digest });
  }

  #confidential(): FakeConfidential {
    if (this.confidential === undefined) throw new FakeRefusal('not-found', 'it is a plain guest');
    return this.confidential;
  }

  async #putLaunchSpec(stream: ServerHttp2Stream): Promise<void> {
    const confidential = this.#confidential();
    const spec = await confidential.take(stream);
    this.resources = spec.resources;
    this.#specDigest = `sha256:${confidential.specDigest}`;
    this.#processes.set(MAIN, new FakeProcess(MAIN, spec.process));
    json(stream, 200, confidential.taken);
  }

  async #startMain(stream: ServerHttp2Stream): Promise<void> {
    const main = this.#processes.get(MAIN);
    if (main === undefined) throw new FakeRefusal('spec-missing', 'no spec was put');
    if (main.state !== 'created') throw new FakeRefusal('conflict', 'main was already started');
    if (this.confidential === undefined) this.#start(main, true);
    else this.confidential.begin(main, () => this.#start(main, true));
    json(stream, 200, main.describe());
  }

  async #startProcess(stream: ServerHttp2Stream, version: number): Promise<void> {
    const { value: body } = await readJson(stream, StartProcess, DOCUMENT_BYTES);
    if (body.group !== undefined && version < 4) throw new FakeRefusal('invalid', 'group');
    this.#expectSpec();
    if (this.#processes.has(body.id)) throw new FakeRefusal('conflict', `${body.id} is in use`);
    if (this.#processes.get(MAIN)?.state === 'exited' || this.#stopping) {
      throw new FakeRefusal('conflict', 'the box is stopping');
    }
    if (this.frozen) throw new FakeRefusal(version < 6 ? 'conflict' : 'frozen', 'it is frozen');
    const process = new FakeProcess(body.id, body.process);
    this.#start(process, false);
    this.#processes.set(body.id, process);
    if (body.privileged && version < 7) throw new FakeRefusal('invalid', 'privileged');
    if (body.group === true) this.grouped.add(body.id);
    if (body.privileged === true) this.privileged.add(body.id);
    json(stream, 200, process.describe());
  }

  #start(process: FakeProcess, isMain: boolean): void {
    const users = ['', 'root', 'nobody', ...(this.#options.users ?? [])];
    const program = findProgram(this.#programs, process.spec, isMain ? [] : ['/missing'], users);
    process.start(this.#nextPid++, program);
    if (!isMain) return;
    // The end of process 1 of a PID namespace is the end of all of it.
    void process.exited().then(() => {
      for (const other of this.#processes.values()) {
        if (other.state === 'running') other.kill('SIGKILL');
      }
    });
  }

  async #exit(stream: ServerHttp2Stream, match: RegExpExecArray): Promise<void> {
    json(stream, 200, await this.#find(match).exited(closing(stream)));
  }

  #forget(stream: ServerHttp2Stream, match: RegExpExecArray): void {
    const process = this.#find(match);
    if (process.id === MAIN) throw new FakeRefusal('invalid', 'main cannot be forgotten');
    if (process.state !== 'exited') throw new FakeRefusal('conflict', 'it has not exited');
    this.#processes.delete(process.id);
    json(stream, 204);
  }

  async #signal(stream: ServerHttp2Stream, match: RegExpExecArray): Promise<void> {
    const { signal } = (await readJson(stream, Signal, JSON_BYTES)).value;
    const process = this.#find(match);
    this.confidential?.checkSignal(signal);
    if (process.state === 'waiting') {
      process.give(137, { code: 'signalled', message: `ended by ${signal}` });
      return json(stream, 204);
    }
    if (process.state !== 'running') throw new FakeRefusal('conflict', 'it does not run');
    const name = signalName(signal);
    if (name === undefined) throw new FakeRefusal('invalid', `unknown signal ${signal}`);
    if (this.frozen && name !== 'SIGKILL') this.#signalled.push(() => process.kill(name));
    else process.kill(name);
    json(stream, 204);
  }

  async #resize(stream: ServerHttp2Stream, match: RegExpExecArray): Promise<void> {
    const { value: size } = await readJson(stream, TerminalSize, JSON_BYTES);
    const process = this.#find(match);
    if (!process.spec.terminal) throw new FakeRefusal('invalid', 'it has no terminal');
    process.resize(size);
    json(stream, 204);
  }

  async #stats(stream: ServerHttp2Stream, version: number): Promise<void> {
    const pids = fakeTop(this.#processes.values()).length;
    json(stream, 200, fakeStats(pids, this.resources, version >= 4));
  }

  #top(stream: ServerHttp2Stream): void {
    this.#expectSpec();
    json(stream, 200, { processes: fakeTop(this.#processes.values()) });
  }

  async #putResources(stream: ServerHttp2Stream): Promise<void> {
    const { value } = await readJson(stream, Resources, JSON_BYTES);
    if (this.containers.pod === undefined) this.#expectSpec();
    if (this.#options.refuseResources !== undefined) throw this.#options.refuseResources;
    this.resources = value;
    json(stream, 204);
  }

  async #putNetworks(stream: ServerHttp2Stream): Promise<void> {
    const { value } = await readJson(stream, GuestNetworks, JSON_BYTES);
    this.#expectSpec();
    this.confidential?.checkNetworks(value);
    this.networks = value;
    json(stream, 204);
  }

  async #poweroff(stream: ServerHttp2Stream): Promise<void> {
    this.kill();
    json(stream, 202);
    stream.on('close', () => {
      this.#connection?.destroy();
      this.#powerOff();
    });
  }
}

function digestOf(bytes: Buffer): NonNullable<GuestState['spec']> {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
