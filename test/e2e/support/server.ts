/**
 * A control server within the process of a test, with real microVMs: for what has no route.
 *
 * @module
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { rootCertificates } from 'node:tls';
import { Dialer } from '../../../src/build/egress/dialer.ts';
import { type Config, readConfig } from '../../../src/config.ts';
import { converterInJail } from '../../../src/images/converter/converter.ts';
import { openImageStore } from '../../../src/images/store.ts';
import { spawnInJail } from '../../../src/jail/spawn.ts';
import { NamespaceNetworks } from '../../../src/networks/host/namespace-networks.ts';
import { PortRelays } from '../../../src/networks/relay/port-relays.ts';
import { RelayingNetworks } from '../../../src/networks/relay/relaying-networks.ts';
import { FakePodNetworks } from '../../../src/networks/testing/fake-pod-networks.ts';
import { FakePodMounts } from '../../../src/pods/testing/fake-pod-mounts.ts';
import { openDownloads } from '../../../src/registry/downloads.ts';
import { hostFiles } from '../../../src/registry/hosts/host.ts';
import { readProxies } from '../../../src/registry/hosts/proxies.ts';
import { openRegistry } from '../../../src/registry/open-registry.ts';
import { PinnedBootSets } from '../../../src/server/home/boot-sets.ts';
import { openTrust } from '../../../src/server/home/open-trust.ts';
import type { ApiHost } from '../../../src/server/routes.ts';
import { serve } from '../../../src/server/serve.ts';
import { engineCache } from '../installation.ts';
import { openEngine } from './engines.ts';

const DIST = resolve('dist');

export class TestServer {
  readonly home = mkdtempSync(join(tmpdir(), 'a3s-in-'));
  readonly #environment: Readonly<Record<string, string>>;
  #stop = new AbortController();
  #served: Promise<void> | undefined;

  /** @param environment settings, as a server's own */
  constructor(environment: Readonly<Record<string, string>> = {}) {
    chmodSync(this.home, 0o711);
    this.#environment = environment;
  }

  /** Where its API is. */
  get socket(): string {
    return this.#config.socket;
  }

  get #config(): Config {
    const env = { ...process.env, ...this.#environment, A3S_HOME: join(this.home, 'home') };
    return readConfig(env, process.geteuid?.() ?? 0, DIST);
  }

  async start(): Promise<ApiHost> {
    const config = this.#config;
    const boot = new PinnedBootSets(config);
    const reached = { ...hostFiles(config.home, {}), proxies: readProxies({}) };
    this.#stop = new AbortController();
    return await new Promise<ApiHost>((ready, failed) => {
      this.#served = serve(config, {
        signal: this.#stop.signal,
        openDependencies: async (database, log) => ({
          boot,
          engine: openEngine({
            ...{ boot: await boot.available(), cacheFile: engineCache(this.home) },
            runtimeDir: config.runtimeDir,
          }),
          registry: openRegistry(reached),
          downloads: openDownloads(reached),
          dialer: new Dialer(reached),
          trust: openTrust(config.home),
          hostNetworks: new RelayingNetworks(
            new NamespaceNetworks(join(config.runtimeDir, 'networks'), log, {
              bundle: join(DIST, 'egress.cjs'),
              roots: async () => rootCertificates,
            }),
            new PortRelays(config.runtimeDir, join(DIST, 'relay.cjs'), log),
          ),
          podNetworks: new FakePodNetworks(),
          podMounts: new FakePodMounts(),
          images: await openImageStore({
            directory: join(config.home, 'images'),
            database,
            converter: converterInJail(join(DIST, 'converter.cjs'), spawnInJail),
          }),
        }),
        onReady: (rt) => ready(rt),
      });
      this.#served.catch(failed);
    });
  }

  /** Ends the server; its boxes run on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#served;
  }

  /** After the last server has ended its boxes. */
  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
