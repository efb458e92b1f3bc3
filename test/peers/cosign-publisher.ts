/**
 * Publishes images with skopeo and the real cosign, in a registry of a test.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type StartedRegistry, startRegistry } from '../../src/registry/testing/start-registry.ts';
import { buildImage, dockerArchive } from '../images/build-image.ts';

const run = promisify(execFile);
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OFFLINE = ['--yes', '--tlog-upload=false'];

export const PASSWORD = 'open sesame';

export class CosignPublisher {
  /** Its `directory` is where the programs run, with keys beside the registry's files. */
  readonly registry: StartedRegistry;

  private constructor(registry: StartedRegistry) {
    this.registry = registry;
  }

  /** With the key pairs `cosign` and `other`. */
  static async start(): Promise<CosignPublisher> {
    const publisher = new CosignPublisher(await startRegistry());
    for (const name of ['cosign', 'other']) {
      await publisher.tool('cosign', ['generate-key-pair', '--output-key-prefix', name]);
    }
    return publisher;
  }

  stop(): Promise<void> {
    return this.registry.stop();
  }

  /** What the image is called, such as `app:1`. */
  place(name: string): string {
    return `${this.registry.host}/team/${name}`;
  }

  /**
   * A program of the host. It must not be waited for synchronously: it may be this process that it
   * calls.
   */
  async tool(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const cwd = this.registry.directory;
    const env = { PATH: process.env['PATH'], HOME: cwd, COSIGN_PASSWORD: PASSWORD, ...environment };
    return (await run(program, args, { cwd, env, timeout: 90_000 })).stdout;
  }

  /** Puts an image of its own into the registry. @returns its digest */
  async publish(name: string): Promise<string> {
    const archive = join(this.registry.directory, `${name.replace(':', '-')}.tar`);
    const layers = [[{ path: 'name', data: Buffer.from(name) }]];
    writeFileSync(archive, dockerArchive([buildImage({ name: `test/${name}`, layers })]));
    await this.copy(`docker-archive:${archive}`, name);
    const inspect = ['inspect', '--tls-verify=false', '--format', '{{.Digest}}'];
    return (await this.tool('skopeo', [...inspect, `docker://${this.place(name)}`])).trim();
  }

  async copy(source: string, name: string): Promise<void> {
    const plain = ['--src-tls-verify=false', '--dest-tls-verify=false'];
    await this.tool('skopeo', ['copy', ...plain, source, `docker://${this.place(name)}`]);
  }

  async sign(name: string, key: string, ...flags: readonly string[]): Promise<void> {
    const by = [...OFFLINE, '--key', `${key}.key`];
    await this.tool('cosign', ['sign', ...by, ...flags, this.place(name)]);
  }

  async attest(name: string, key: string, ...flags: readonly string[]): Promise<void> {
    const by = [...OFFLINE, '--key', `${key}.key`];
    await this.tool('cosign', ['attest', ...by, ...flags, this.place(name)]);
  }

  /** What cosign says that it has verified. Throws where it does not accept the image. */
  async verify(name: string, key: string, ...flags: readonly string[]): Promise<string> {
    return await this.tool('cosign', ['verify', ...trusting(key), ...flags, this.place(name)]);
  }

  /** The statement that cosign has verified. Throws where it does not. */
  async verifyAttestation(name: string, key: string, type: string): Promise<object> {
    const flags = [...trusting(key), '--type', type];
    const output = await this.tool('cosign', ['verify-attestation', ...flags, this.place(name)]);
    const [line = ''] = output.split('\n');
    return JSON.parse(Buffer.from(JSON.parse(line).payload, 'base64').toString());
  }

  /** An index of one manifest, at a tag. @returns its digest */
  async putIndex(name: string, tag: string, digest: string): Promise<string> {
    const found = await fetch(this.#manifest(name, digest), { headers: { accept: '*/*' } });
    const size = (await found.arrayBuffer()).byteLength;
    const mediaType = found.headers.get('content-type') ?? MANIFEST;
    const platform = { architecture: 'amd64', os: 'linux' };
    const manifests = [{ mediaType, digest, size, platform }];
    const body = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
    const headers = { 'content-type': INDEX };
    const put = await fetch(this.#manifest(name, tag), { method: 'PUT', headers, body });
    return put.headers.get('docker-content-digest') ?? '';
  }

  /** Changes one character of the first signature of an image. */
  async tamper(name: string, digest: string): Promise<void> {
    const url = this.#manifest(name, `${digest.replace(':', '-')}.sig`);
    const text = await (await fetch(url, { headers: { accept: MANIFEST } })).text();
    const body = text.replace(
      /(cosign\/signature": ?".{20})(.)/,
      (_, before, character) => `${before}${character === 'A' ? 'B' : 'A'}`,
    );
    if (body === text) throw new Error(`no signature in ${text}`);
    await fetch(url, { method: 'PUT', headers: { 'content-type': MANIFEST }, body });
  }

  #manifest(name: string, reference: string): string {
    return `${this.registry.url}/v2/team/${name}/manifests/${reference}`;
  }
}

function trusting(key: string): readonly string[] {
  return ['--insecure-ignore-tlog=true', '--allow-http-registry', '--key', `${key}.pub`];
}
