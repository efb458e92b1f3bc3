/**
 * The whole configuration of the registry of a domain.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { isDomain, isLoopback, registryHost } from './addresses.ts';
import { type HostCertificates, readHostCertificates } from './certs-directory.ts';
import { type Registries, readRegistries } from './registries-file.ts';
import { readSystemRoots, rootsFiles } from './system-roots.ts';
import { type TlsTrust, tlsTrust } from './tls-trust.ts';

/** Paths of the configuration; the first that exists counts. */
export interface HostFiles {
  /** In the layout of Docker's `certs.d`. */
  readonly certsDirectories: readonly string[];
  /** `registries.yaml`. */
  readonly registriesFiles: readonly string[];
  /** The system's bundles of authorities; Node's own where none exists. */
  readonly rootsFiles?: readonly string[];
}

export interface Mirror {
  /** Its origin. */
  readonly base: URL;
  /** Put before the names of repositories: nothing, or `hub/`. */
  readonly prefix: string;
  readonly trust: TlsTrust;
}

export interface Host {
  readonly domain: string;
  /**
   * The registry's possible origins, in the order in which they are tried: https, and http where it
   * is allowed.
   */
  readonly bases: readonly URL[];
  readonly trust: TlsTrust;
  readonly mirrors: readonly Mirror[];
  /** Whether the owner names it in `registries.yaml`. */
  readonly isConfigured: boolean;
  /**
   * The TLS trust for another host to which the registry redirects: its authorities, and never a
   * client certificate.
   */
  foreign(url: URL): Promise<TlsTrust>;
}

/** The files for a user's home, and those of the system. */
export function hostFiles(
  home: string,
  env: Readonly<Record<string, string | undefined>>,
): HostFiles {
  return {
    rootsFiles: rootsFiles(env),
    certsDirectories: [
      `${home}/certs.d`,
      '/etc/a3s-box/certs.d',
      '/etc/docker/certs.d',
      '/etc/containers/certs.d',
    ],
    registriesFiles: [`${home}/registries.yaml`, '/etc/a3s-box/registries.yaml'],
  };
}

/**
 * Reads the configuration anew, so that a change applies from the next pull on.
 *
 * @throws A3sError `key-invalid`, `invalid-argument` for configuration that cannot be used;
 * `invalid-reference`
 */
export async function readHost(domain: string, files: HostFiles): Promise<Host> {
  const https = `https://${registryHost(domain)}`;
  if (!isDomain(domain) || !URL.canParse(https)) {
    throw new A3sError(
      'invalid-reference',
      `Cannot use ${JSON.stringify(domain.slice(0, 200))} as the host of a registry`,
      { remedy: 'Write it as HOST[:PORT].' },
    );
  }
  const registries = await readRegistries(files.registriesFiles);
  const { insecure = false, mirrors = [] } = registries.get(domain) ?? {};
  const certificates = await readHostCertificates(files.certsDirectories, domain);
  const roots = await readSystemRoots(files.rootsFiles ?? []);
  const bases = [new URL(https)];
  if (insecure || isLoopback(new URL(https))) {
    bases.push(new URL(`http://${registryHost(domain)}`));
  }
  return {
    domain,
    bases,
    trust: tlsTrust(certificates, roots, !insecure),
    isConfigured: registries.has(domain),
    mirrors: await Promise.all(mirrors.map((url) => mirrorAt(url, files, registries, roots))),
    foreign: (url) => foreignTrust(url, certificates, files, registries, roots),
  };
}

async function mirrorAt(
  url: URL,
  files: HostFiles,
  registries: Registries,
  roots: readonly string[],
): Promise<Mirror> {
  const certificates = await readHostCertificates(files.certsDirectories, url.host);
  const path = url.pathname.replace(/^\/|\/$/g, '');
  return {
    base: new URL(url.origin),
    prefix: path === '' ? '' : `${path}/`,
    trust: tlsTrust(certificates, roots, registries.get(url.host)?.insecure !== true),
  };
}

async function foreignTrust(
  url: URL,
  registry: HostCertificates,
  files: HostFiles,
  registries: Registries,
  roots: readonly string[],
): Promise<TlsTrust> {
  const own = await readHostCertificates(files.certsDirectories, url.host);
  const authorities = [...new Set([...registry.authorities, ...own.authorities])];
  return tlsTrust({ authorities, clients: [] }, roots, registries.get(url.host)?.insecure !== true);
}
