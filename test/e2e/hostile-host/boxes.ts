/**
 * Confidential boxes with the real command line and server, on a host that manipulates both.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type SimulatedGuest, SimulatedSecureProcessor } from '@a3s-box/attestation/simulated';
import type { Guest } from '../../../src/guest/guest.ts';
import { buildImage, busyboxImage, dockerArchive } from '../../images/build-image.ts';
import { Actor, type ActorName, type Result } from '../actor.ts';
import { type Installation, install } from '../installation.ts';
import { guestOf } from '../support/guest-of.ts';
import { scaled } from '../time-scale.ts';

/** Only what hangs takes so long. */
export const TIMEOUT_MS = scaled(120_000);

/** Busybox with `ask`, which talks to the agent from inside. */
export const IMAGE = 'test/asking:1';

const TRUSTED_IMAGES =
  'images: [{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }]';

export interface Inspected {
  readonly Id: string;
  readonly State: {
    readonly Status: string;
    readonly Error: string;
    readonly ExitCode: number;
    readonly Pid: number;
  };
  readonly Confidential: {
    readonly Instance?: string;
    readonly HostData: string;
    readonly Measurement: string;
    readonly SecretsState: string;
  };
}

/** What `attest box --json` prints, as far as it is looked at. */
export interface Verdict {
  readonly accepted: boolean;
  readonly code: string;
  readonly box?: { readonly instance: string; readonly specDigest: string };
  readonly error?: { readonly found?: string; readonly message: string };
}

export class BoxHost {
  readonly actor: Actor;
  readonly #installation: Installation;

  private constructor(actor: Actor, installation: Installation) {
    this.actor = actor;
    this.#installation = installation;
  }

  static async open(name: ActorName): Promise<BoxHost> {
    const installation = await install();
    const actor = new Actor(name, installation);
    const host = new BoxHost(actor, installation);
    host.write('images.yaml', TRUSTED_IMAGES);
    host.write('image.tar', askingImage(join(actor.directory, 'ask')));
    await actor.ok(['load', '--quiet', '--input', host.at('image.tar')]);
    return host;
  }

  at(name: string): string {
    return join(this.actor.directory, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.at(name), content, { mode: 0o644 });
    return this.at(name);
  }

  /**
   * `run -d` of a simulated box, whose relying parties find it at a port of the loopback interface.
   */
  async run(name: string, flags: readonly string[], command: readonly string[]): Promise<void> {
    const host = [
      '--name',
      name,
      '-p',
      '127.0.0.1::ratls',
      '--image-policy',
      this.at('images.yaml'),
    ];
    await this.actor.ok(['run', '-d', '--tee', 'simulate', ...host, ...flags, IMAGE, ...command], {
      deadlineMs: TIMEOUT_MS,
    });
  }

  /** What a relying party computes of such a box; the policy's path. */
  async measure(
    name: string,
    flags: readonly string[],
    command: readonly string[],
  ): Promise<string> {
    const policy = this.at(`${name}.yaml`);
    const outputs = ['--policy-out', policy, '--image-policy', this.at('images.yaml')];
    await this.actor.ok(['measure', '--tee', 'simulate', ...outputs, ...flags, IMAGE, ...command]);
    return policy;
  }

  /** Where the box of this name is published. */
  async port(name: string): Promise<number> {
    const format = ['--filter', `name=${name}`, '--format', '{{.Ports}}'];
    const shown = await this.actor.ok(['ps', ...format]);
    const [, port] = /^127\.0\.0\.1:(\d+)->ratls$/.exec(shown) ?? [];
    if (port === undefined) throw new Error(`${name} has no such port: ${shown}`);
    return Number(port);
  }

  /** What `attest box` says of who is there: a box's name, or a port. */
  async attest(
    target: string | number,
    policy: string,
    ...flags: readonly string[]
  ): Promise<Verdict & { readonly status: number | string }> {
    const peer = typeof target === 'number' ? `127.0.0.1:${target}` : target;
    const args = ['attest', 'box', peer, '--policy', policy, '--json', ...flags];
    const { code, stdout, stderr } = await this.actor.run(args);
    if (stdout === '') throw new Error(`attest box: ${code}\n${stderr}`);
    return { ...JSON.parse(stdout), status: code };
  }

  /** `inject-secret` with the key in this file. */
  inject(port: number, policy: string, key: string, secret: string): Promise<Result> {
    const flags = ['--policy', policy, '--allow-simulated', '--key', key];
    return this.actor.run(['inject-secret', ...flags, `127.0.0.1:${port}`, secret]);
  }

  async inspect(name: string): Promise<Inspected> {
    const [found] = JSON.parse(await this.actor.ok(['inspect', name]));
    return found;
  }

  /** Asks the server without the command line, which refuses much by itself. */
  async api(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly code: string | undefined }> {
    const headers = { 'content-type': 'application/json' };
    const asked = request({ socketPath: this.actor.socket, method, path, headers });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(asked, 'response', {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const said = await text(response);
    const [, code] = /"code":"([a-z-]+)"/.exec(said) ?? [];
    return { status: response.statusCode, code };
  }

  /** The server dies, and its boxes go on. */
  async killServer(): Promise<void> {
    await this.actor.killServer();
  }

  /** The agent of a box, behind the back of its server, which must be dead. */
  guest(id: string): Promise<Guest> {
    return guestOf(this.actor, id);
  }

  /**
   * Who signs for the boxes of this host. In simulation that is the host's, so it can forge what it
   * likes.
   */
  processor(): SimulatedSecureProcessor {
    return new SimulatedSecureProcessor(this.#json('simulated/processor.json'));
  }

  /**
   * The box as the simulated processor has it: a party that holds it can have any report signed as
   * that box's.
   */
  stolen(id: string): SimulatedGuest {
    const { guest } = this.#json(`boxes/${id}/processor.json`) as { readonly guest: unknown };
    return this.processor().resume(guest);
  }

  #json(path: string): unknown {
    return JSON.parse(readFileSync(join(this.actor.home, path), 'utf8'));
  }

  async leave(): Promise<void> {
    await this.actor.leave();
    this.#installation.remove();
  }
}

function askingImage(program: string): Uint8Array {
  const source = join(import.meta.dirname, 'ask.c');
  execFileSync('gcc', ['-static', '-O2', '-o', program, source]);
  const image = busyboxImage(IMAGE);
  const layer = [{ path: 'bin/ask', mode: 0o755, data: readFileSync(program) }];
  return dockerArchive([buildImage({ ...image, layers: [...image.layers, layer] })]);
}
