/**
 * An image whose workload is a secret broker: this host's Node.js, the broker as it was built, and
 * a configuration for a confidential box.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyPin, testCertificate } from '../../../src/broker/testing/certificate.ts';
import { buildImage, busyboxImage, dockerArchive, type TarFile } from '../../images/build-image.ts';
import { hostPrograms } from '../../images/host-programs.ts';

const PLACE = 'broker';
const MODULES = ['better-sqlite3', 'bindings', 'file-uri-to-path'];

/** Where the broker listens, in the box. */
export const BROKER_PORTS = { guests: 8443, ratls: 8444, admin: 8445 } as const;

/** What is secret is on the sealed volume at `/data`, but for the key of this test's TLS. */
export const BROKER_COMMAND = [
  'sh',
  '-c',
  `node=/usr/sbin/node; broker=/${PLACE}/broker.cjs; config=/${PLACE}/broker.yaml
test -e /data/keys/root.references || $node $broker init --config $config
exec $node $broker serve --config $config`,
];

export interface BrokerImage {
  readonly archive: Buffer;
  /** By which boxes know the broker. */
  readonly pin: string;
  /** Of its administrator, and operator, alice. */
  readonly alice: { readonly cert: string; readonly key: string };
}

/** @param root of an installation, with the broker in `dist` */
export function brokerImage(name: string, root: string): BrokerImage {
  const server = testCertificate('server');
  const alice = testCertificate('alice');
  const tls = `tls: {cert: server.crt, key: server.key}`;
  const { guests, ratls, admin } = BROKER_PORTS;
  const config = [
    'store: /data/broker.db',
    'rootKey: {derived: {references: /data/keys/root.references, policy: exact, allowSimulated: true}}',
    'audit: {key: /data/keys/audit.key}',
    `guests: {listen: "0.0.0.0:${guests}", ${tls}, ratls: {listen: "0.0.0.0:${ratls}"}}`,
    `admin: {listen: "0.0.0.0:${admin}", ${tls}}`,
    `operators: {alice: {key: ${keyPin(alice.cert)}}}`,
    `tenants: {default: {admins: {alice: {key: ${keyPin(alice.cert)}}}}}`,
  ].join('\n');
  const own = {
    'broker.cjs': readFileSync(join(root, 'dist/broker.cjs')),
    'broker.yaml': config,
    'server.crt': server.cert,
    'server.key': server.key,
  };
  const files: TarFile[] = [
    ...hostPrograms(['node']),
    ...Object.entries(own).map(([path, data]) => file(path, Buffer.from(data))),
    ...MODULES.flatMap((module) => filesIn(join(root, 'dist'), `node_modules/${module}`)),
  ];
  const image = busyboxImage(name);
  const archive = dockerArchive([buildImage({ ...image, layers: [...image.layers, files] })]);
  return { archive, pin: keyPin(server.cert), alice };
}

function file(path: string, data: Buffer): TarFile {
  return { path: `${PLACE}/${path}`, mode: 0o644, data };
}

function filesIn(root: string, directory: string): TarFile[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) return filesIn(root, path);
    return [file(path, readFileSync(join(root, path)))];
  });
}
