/**
 * The guest agent, as the host sees it: one method per route of
 * `docs/development/guest-protocol.md`.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { BoxSpec, PodSpec } from '@a3s-box/policies';
import { openByteStream } from './byte-stream.ts';
import { expectProtocol } from './expect-protocol.ts';
import { GuestBox } from './guest-box.ts';
import { GuestContainer } from './guest-container.ts';
import type { GuestConnection } from './http2-connection.ts';
import type { GuestNetworks } from './networks.ts';
import {
  ContainerList,
  type ContainerState,
  Fork,
  Hello,
  LaunchSpecTaken,
  Reseed,
  SecretsReport,
  SocketPath,
  SpecTaken,
} from './protocol.ts';
import { nothing, PROMPT_MS, prompt, SETUP_MS, STATE_BYTES } from './request-options.ts';

/** The timeout of a spec by which the agent copies files of the image into a volume. */
const FILL_MS = 1_800_000;

/**
 * A connection to the agent of one box. Every method rejects with an `A3sError`: the agent's
 * refusal, `agent-failed` for answers that break the protocol and for a lost connection, or
 * `agent-timeout`. An abort rejects with the signal's reason.
 */
export class Guest extends GuestBox {
  /** The agent's answer to `hello`; undefined where its version was known beforehand. */
  readonly hello: Hello | undefined;
  /** Resolves when the connection is gone, never rejects. The box keeps running. */
  readonly closed: Promise<void>;
  readonly #connection: GuestConnection;

  constructor(connection: GuestConnection, hello?: Hello) {
    super(connection);
    this.#connection = connection;
    this.hello = hello;
    this.closed = connection.closed;
  }

  /**
   * Does all of a box's set-up that does not depend on its spec, so that the guest can be copied.
   * Until `reseed`, requests other than `hello`, `rehearse` and `poweroff` are a `conflict`.
   * Protocol 2.
   */
  async prepare(signal?: AbortSignal): Promise<void> {
    const options = { signal, deadlineMs: SETUP_MS };
    await this.#connection.call('POST', '/v1/prepare', undefined, nothing, options);
  }

  /** Microseconds since the guest booted, by its clock; an older agent does not tell. */
  async uptime(signal: AbortSignal): Promise<number | undefined> {
    const route = ['GET', '/v1/hello', undefined, Hello] as const;
    return (await this.#connection.call(...route, prompt(signal))).uptimeUsec;
  }

  /**
   * Has a paused guest run a warm-up of its later requests, in namespaces that it
   * discards, so that an emulated processor has translated that code. Protocol 2; may be repeated.
   */
  async warmUp(spec: BoxSpec, signal?: AbortSignal): Promise<void> {
    const options = { signal, deadlineMs: SETUP_MS };
    await this.#connection.call('POST', '/v1/rehearse', spec, nothing, options);
  }

  /**
   * Gives a guest that started from a template its own identity. Protocol 2; a repeated call
   * changes nothing.
   */
  async reseed(reseed: Reseed, signal?: AbortSignal): Promise<void> {
    const body = Reseed.parse(reseed);
    await this.#connection.call('POST', '/v1/wake', body, nothing, prompt(signal));
  }

  /**
   * Gives a fork its own identity. Protocol 2; a repeated call
   * changes nothing.
   */
  async fork(fork: Fork, signal?: AbortSignal): Promise<void> {
    const { mac, ...rest } = Fork.parse(fork);
    const body = mac === null ? rest : { ...rest, mac };
    await this.#connection.call('POST', '/v1/fork', body, nothing, prompt(signal));
  }

  /** Freezes every process of the box; the guest itself keeps running. Protocol 2. */
  async freeze(signal?: AbortSignal): Promise<void> {
    await this.#connection.call('POST', '/v1/freeze', undefined, nothing, prompt(signal));
  }

  /** Thaws them; nothing changes where they run already. Protocol 2. */
  async thaw(signal?: AbortSignal): Promise<void> {
    await this.#connection.call('POST', '/v1/thaw', undefined, nothing, prompt(signal));
  }

  /**
   * Sends the box spec, once. Returns the digest of the bytes that arrived. An agent before
   * protocol 5, of an older boot set, does not make directories of volumes and refuses unknown
   * fields, so the spec is sent to it without them.
   */
  async putSpec(spec: BoxSpec, signal?: AbortSignal): Promise<string> {
    const fills = spec.mounts.some((mount) => mount.kind !== 'image' && mount.fill === true);
    const options = { signal, deadlineMs: fills ? FILL_MS : SETUP_MS };
    const { directories, ...rest } = spec;
    const document = directories === undefined || this.speaks(5) ? spec : rest;
    return (await this.#connection.call('PUT', '/v1/spec', document, SpecTaken, options)).spec;
  }

  /**
   * Sends a confidential guest the text of its launch spec, once. The guest takes exactly these
   * bytes, or answers the reason and ends. Protocol 3.
   *
   * @param fills the guest may make volumes, and copy the image's files into them
   * @param keysMs how long it may wait for keys of volumes before
   */
  putLaunchSpec(
    text: string,
    {
      signal,
      fills = false,
      keysMs = 0,
    }: {
      readonly signal?: AbortSignal;
      readonly fills?: boolean;
      readonly keysMs?: number;
    } = {},
  ): Promise<LaunchSpecTaken> {
    const options = { signal, deadlineMs: (fills ? FILL_MS : SETUP_MS) + keysMs };
    const bytes = Buffer.from(text);
    return this.#connection.call('PUT', '/v1/launch-spec', bytes, LaunchSpecTaken, options);
  }

  /**
   * Sends endorsements that the guest passes on beside its reports. The guest does not rely on
   * them. Protocol 3.
   */
  async putCertificates(table: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#connection.call('PUT', '/v1/certificates', table, nothing, prompt(signal));
  }

  /**
   * Waits for the state of the guest's secrets to have another version than `seen`, however long it
   * takes, and returns it. Protocol 3.
   */
  secrets(seen: number, signal?: AbortSignal): Promise<SecretsReport> {
    const route = `/v1/secrets?seen=${seen}`;
    return this.#connection.call('GET', route, undefined, SecretsReport, { signal });
  }

  /**
   * A connection to the guest's RA-TLS server: bytes that this host cannot read. Protocol 3.
   *
   * @param deadlineMs for the guest to take it
   */
  ratls(signal?: AbortSignal, deadlineMs = PROMPT_MS): Promise<Duplex> {
    return openByteStream(this.#connection, '/v1/ratls', signal, deadlineMs);
  }

  /**
   * The next connection that the agent makes to its secret broker, however long that takes: TLS, of
   * which this host can read nothing. A conflict once there is nothing to fetch. Protocol 11.
   */
  async brokerConnection(signal?: AbortSignal): Promise<Duplex> {
    expectProtocol(this.#connection, 11, 'secrets that the box fetches');
    return await openByteStream(this.#connection, '/v1/broker', signal, undefined);
  }

  /**
   * A connection to a Unix socket of the box. The end of what is written ends that direction alone;
   * the end of what is read ends both. Protocol 10.
   */
  async connectSocket(path: string, signal?: AbortSignal): Promise<Duplex> {
    expectProtocol(this.#connection, 10, 'connections to sockets of the box');
    const route = `/v1/sockets/connect?path=${SocketPath.parse(path)}`;
    return await openByteStream(this.#connection, route, signal, PROMPT_MS);
  }

  /**
   * The next connection that a process of the box makes to a port of 127.0.0.1, however long that
   * takes. The agent listens there from the first call on. Protocol 10.
   */
  async acceptConnection(port: number, signal?: AbortSignal): Promise<Duplex> {
    expectProtocol(this.#connection, 10, 'ports of the box that lead to the host');
    const route = `/v1/sockets/accept?port=${port}`;
    return await openByteStream(this.#connection, route, signal, undefined);
  }

  /**
   * A connection to a port of the loopback of the box, or of the pod. Its ends are those of
   * `connectSocket`. Protocol 14.
   */
  async dialPort(port: number, signal?: AbortSignal): Promise<Duplex> {
    expectProtocol(this.#connection, 14, 'connections to ports of the loopback');
    return await openByteStream(
      this.#connection,
      `/v1/sockets/dial?port=${port}`,
      signal,
      PROMPT_MS,
    );
  }

  /**
   * Sends the spec of a pod in place of a box spec, once: the guest has containers then. Returns
   * the digest of the bytes that arrived. Protocol 12. An agent that gives pods no IPv6 refuses
   * unknown fields, so the spec is sent to it without that.
   */
  async putPod(spec: PodSpec, signal?: AbortSignal): Promise<string> {
    expectProtocol(this.#connection, 12, 'pods');
    const options = { signal, deadlineMs: SETUP_MS };
    const document = this.givesPodsIpv6 ? spec : withoutIpv6(spec);
    return (await this.#connection.call('PUT', '/v1/pod', document, SpecTaken, options)).spec;
  }

  /** Whether the pod has the IPv6 address of its spec. Protocol 22. */
  get givesPodsIpv6(): boolean {
    return this.speaks(22);
  }

  /** The containers of a pod: what a new host needs to adopt it. Protocol 12. */
  async containers(signal?: AbortSignal): Promise<readonly ContainerState[]> {
    expectProtocol(this.#connection, 12, 'pods');
    const options = { ...prompt(signal), answerBytes: STATE_BYTES };
    const route = ['GET', '/v1/containers', undefined, ContainerList] as const;
    return (await this.#connection.call(...route, options)).containers;
  }

  /** A container of a pod, which need not be there yet. Protocol 12. */
  container(id: string): GuestContainer {
    expectProtocol(this.#connection, 12, 'pods');
    return new GuestContainer(this.#connection, id);
  }

  /**
   * Gives the box these networks in place of those that it has. Protocol 9, with hosts 11, with
   * IPv6 13, in a confidential guest 18.
   */
  async putNetworks(networks: GuestNetworks, signal?: AbortSignal): Promise<void> {
    if (this.hello?.tee !== undefined) {
      expectProtocol(this.#connection, 18, 'networks of confidential boxes');
    }
    if (networks.hosts === undefined) expectProtocol(this.#connection, 9, 'other networks');
    else expectProtocol(this.#connection, 11, 'links between boxes');
    if (networks.cards.some(({ ipv6 }) => ipv6 !== undefined)) {
      expectProtocol(this.#connection, 13, 'IPv6 of the networks');
    }
    if (networks.cards.some(({ linkLocal }) => linkLocal !== undefined)) {
      expectProtocol(this.#connection, 15, 'link-local addresses');
    }
    const options = { signal, deadlineMs: SETUP_MS };
    await this.#connection.call('PUT', '/v1/networks', networks, nothing, options);
  }

  /** Orders the guest to power off. It has ended when the VM has. */
  async poweroff(signal?: AbortSignal): Promise<void> {
    await this.#connection.call('POST', '/v1/poweroff', undefined, nothing, prompt(signal));
  }

  /** Closes the connection. The box keeps running. */
  close(): void {
    this.#connection.destroy();
  }
}

function withoutIpv6(spec: PodSpec): PodSpec {
  if (spec.network.kind === 'none') return spec;
  const { ipv6: _, ...network } = spec.network;
  return { ...spec, network };
}
