/**
 * Opens connections to other hosts for the steps of builds.
 *
 * A name is looked up once, and the connection goes to one of the addresses that were checked, so a
 * name that leads elsewhere the next time gains nothing. Where the host itself uses a proxy, that
 * proxy looks names up.
 *
 * @module
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { request } from 'node:http';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Semaphore } from '../../async/semaphore.ts';
import { unlessAborted } from '../../async/unless-aborted.ts';
import { bareHost } from '../../registry/hosts/addresses.ts';
import { NO_PROXIES, type Proxies, proxyFor } from '../../registry/hosts/proxies.ts';
import type { AddressRule } from '../../registry/http/address-guard.ts';
import { Refusal } from '../proxy/refusal.ts';
import type { Asked } from './build-egress.ts';

/** Each takes one of the few threads that all file operations of the server need as well. */
const MAX_LOOKUPS = 2;
const MAX_TRIED = 3;
const CONNECT_MS = 10_000;
/** For all of a connection: names, addresses and the answer of a proxy. */
const DIAL_MS = 30_000;

export interface DialerOptions {
  /** Of the host. */
  readonly proxies?: Proxies;
  /** Of the system, unless tests have another. */
  readonly lookup?: LookupFunction;
}

export interface Dialled {
  readonly socket: Socket;
  /** The host's proxy at the other end, to which a request names a whole URL. */
  readonly proxy: URL | undefined;
}

export class Dialer {
  readonly #proxies: Proxies;
  readonly #lookup: LookupFunction;
  readonly #lookups = new Semaphore(MAX_LOOKUPS);

  constructor({ proxies = NO_PROXIES, lookup = systemLookup }: DialerOptions = {}) {
    this.#proxies = proxies;
    this.#lookup = lookup;
  }

  /**
   * A stream of bytes to the host.
   *
   * @throws Refusal; the signal's reason
   */
  async tunnel(asked: Asked, rule: AddressRule, signal: AbortSignal): Promise<Socket> {
    return await inTime(signal, asked, async (within) => {
      const proxy = this.#proxyOf('https', asked, rule);
      if (proxy === undefined) return await this.#direct(asked, rule, within);
      return await throughProxy(await connectProxy(proxy, within), proxy, asked, within);
    });
  }

  /**
   * A connection for one request of plain HTTP to the host.
   *
   * @throws Refusal; the signal's reason
   */
  async plain(asked: Asked, rule: AddressRule, signal: AbortSignal): Promise<Dialled> {
    return await inTime(signal, asked, async (within) => {
      const proxy = this.#proxyOf('http', asked, rule);
      if (proxy !== undefined) return { socket: await connectProxy(proxy, within), proxy };
      return { socket: await this.#direct(asked, rule, within), proxy };
    });
  }

  #proxyOf(scheme: 'http' | 'https', { host, port }: Asked, rule: AddressRule): URL | undefined {
    const spelled = isIP(host) === 6 ? `[${host}]` : host;
    const url = `${scheme}://${spelled}:${port}`;
    // `xn--` in front of what is no punycode, for one.
    if (!URL.canParse(url)) throw new Refusal(400, `${shown({ host, port })} names no host`);
    const proxy = proxyFor(this.#proxies, new URL(url));
    if (proxy !== undefined) refuseBy(rule.refusal(isIP(host) === 0 ? undefined : host));
    return proxy;
  }

  async #direct({ host, port }: Asked, rule: AddressRule, signal: AbortSignal): Promise<Socket> {
    const found = isIP(host) === 0 ? await this.#addresses(host, signal) : [host];
    const permitted = found.filter((address) => rule.refusal(address) === undefined);
    const [first] = found;
    if (permitted.length === 0 && first !== undefined) refuseBy(rule.refusal(first));
    let failure: unknown;
    for (const address of permitted.slice(0, MAX_TRIED)) {
      try {
        const socket = connect({ host: address, port, allowHalfOpen: true });
        return await connected(socket, 'connect', signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw unreached({ host, port }, failure);
  }

  async #addresses(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const looking = this.#lookups.run(
      () =>
        new Promise<readonly string[]>((resolve, reject) => {
          if (signal.aborted) return reject(signal.reason);
          this.#lookup(name, { all: true, family: 4 }, (error, found) => {
            if (error === null) resolve((found as LookupAddress[]).map(({ address }) => address));
            else reject(new Refusal(502, `there is no address of ${name}`));
          });
        }),
    );
    return await unlessAborted(looking, signal);
  }
}

/** Rejects with a Refusal where it takes too long. */
async function inTime<T>(
  signal: AbortSignal,
  asked: Asked,
  dial: (within: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(DIAL_MS);
  try {
    return await dial(AbortSignal.any([signal, late]));
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw new Refusal(504, `${shown(asked)} does not answer`);
    throw error;
  }
}

function refuseBy(reason: string | undefined): void {
  if (reason !== undefined) throw new Refusal(403, reason);
}

async function connectProxy(proxy: URL, signal: AbortSignal): Promise<Socket> {
  const isSecure = proxy.protocol === 'https:';
  const host = bareHost(proxy.hostname);
  const port = Number(proxy.port || (isSecure ? 443 : 80));
  try {
    if (!isSecure) {
      return await connected(connect({ host, port, allowHalfOpen: true }), 'connect', signal);
    }
    const servername = isIP(host) === 0 ? host : '';
    return await connected(connectTls({ host, port, servername }), 'secureConnect', signal);
  } catch (error) {
    signal.throwIfAborted();
    throw unreached({ host, port }, error);
  }
}

/** Asks the proxy for a tunnel on a connection to it. */
async function throughProxy(
  socket: Socket,
  proxy: URL,
  asked: Asked,
  signal: AbortSignal,
): Promise<Socket> {
  return await new Promise<Socket>((resolve, reject) => {
    const sent = request({
      ...{ createConnection: () => socket, method: 'CONNECT', path: shown(asked), signal },
      headers: { host: shown(asked), ...proxyLogin(proxy) },
    });
    const fail = (error: unknown): void => {
      socket.destroy();
      reject(error);
    };
    sent.once('connect', (answer, tunnel, head) => {
      if (answer.statusCode !== 200) {
        return fail(new Refusal(502, `the proxy of this host answers ${answer.statusCode}`));
      }
      if (head.length > 0) tunnel.unshift(head);
      resolve(tunnel as Socket);
    });
    sent.once('response', ({ statusCode }) =>
      fail(new Refusal(502, `the proxy of this host answers ${statusCode}`)),
    );
    sent.once('error', (error) => fail(signal.aborted ? signal.reason : unreached(asked, error)));
    sent.end();
  });
}

/** The header with the user and the password that the proxy's URL has. */
export function proxyLogin({
  username,
  password,
}: URL): Readonly<{ 'proxy-authorization'?: string }> {
  if (username === '' && password === '') return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` };
}

async function connected<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<S> {
  return await new Promise<S>((resolve, reject) => {
    const end = (error: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
      if (error === undefined) resolve(socket);
      else {
        socket.destroy();
        reject(error);
      }
    };
    const leave = (): void => end(signal.reason);
    const timer = setTimeout(() => end(new Error('it does not answer')), CONNECT_MS);
    signal.addEventListener('abort', leave);
    // Stays for what happens before anybody uses the socket: an error is followed by its end.
    socket.on('error', end);
    socket.once(event, () => end(undefined));
    if (signal.aborted) leave();
  });
}

function unreached(asked: Asked, error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return new Refusal(502, `${shown(asked)} cannot be reached${code}`);
}

export function shown({ host, port }: Asked): string {
  return `${host}:${port}`;
}
