// Bundles the command line and the server, and lays everything the product needs into dist/: it can
// be copied as a whole. With a directory as its argument, the command line alone, there.
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The native add-ons and what they load at run time. */
const NATIVE = {
  'better-sqlite3': ['package.json', 'LICENSE', 'lib', 'build/Release/better_sqlite3.node'],
  bindings: ['package.json', 'LICENSE.md', 'bindings.js'],
  'file-uri-to-path': ['package.json', 'LICENSE', 'index.js'],
  koffi: [
    ...['package.json', 'LICENSE.txt', 'index.cjs', 'index.js'],
    ...['src/koffi/index.cjs', 'src/koffi/index.js'],
    ...['static.cjs', 'static.js', 'trampolines.cjs'].map((name) => `src/koffi/src/${name}`),
  ],
  '@koromix/koffi-linux-x64': ['package.json', 'index.js', 'linux_x64/koffi.node'],
};

/** Bundle → its entry. */
const BUNDLES = {
  'dist/server.cjs': 'src/server/main.ts',
  'dist/converter.cjs': 'src/images/converter/main.ts',
  'dist/broker.cjs': 'src/broker/main.ts',
  'dist/networks.cjs': 'src/server/networks-main.ts',
  'dist/egress.cjs': 'src/networks/egress/program/main.ts',
  'dist/relay.cjs': 'src/networks/relay/program/main.ts',
  'dist/krun-shim.cjs': 'native/krun/src/shim/main.ts',
  'build/build-boot.cjs': 'scripts/build-boot.ts',
  'build/build-builder.cjs': 'scripts/build-builder.ts',
  'build/quickstart.cjs': 'scripts/quickstart.ts',
};

/**
 * What is loaded when it is first needed, into a process that most of the time does without: bundle
 * → what it is, as the source imports it, and its entry.
 */
const ON_DEMAND = {
  'boot.cjs': ['#boot', 'src/boot/library.ts'],
  'attestation.cjs': ['#attestation', 'src/cli/commands/attest/library.ts'],
  'grpc.cjs': ['#grpc', 'src/cri/grpc/library.ts'],
  'image-policy.cjs': ['#image-policy', 'src/cli/commands/policy/image-library.ts'],
  'ratls.cjs': ['#ratls', 'src/cli/commands/ratls/library.ts'],
  'signing.cjs': ['#signing', 'src/signing/library.ts'],
  'cel.cjs': ['@bufbuild/cel', '@bufbuild/cel'],
  'commander.cjs': ['commander', 'commander'],
  'tuf.cjs': ['@sigstore/tuf', '@sigstore/tuf'],
  'undici.cjs': ['undici', 'undici'],
};

const elsewhere = process.argv[2];
const directory = elsewhere === undefined ? join(root, 'dist') : resolve(elsewhere);

// Looked at before anything is imported, and before there is half a dist/.
const needed = ['esbuild/package.json', ...(elsewhere === undefined ? nativeFiles() : [])];
const missing = needed.find((file) => !existsSync(join(root, 'node_modules', file)));
if (missing !== undefined) {
  process.stderr.write(
    `a3s-box: cannot build without node_modules/${missing}: run npm run setup first\n`,
  );
  process.exit(1);
}
const { build } = await import('esbuild');
const { buildCli } = await import('./build-cli.mjs');

const specifiers = Object.entries(ON_DEMAND).map(([file, [name]]) => [name, `./${file}`]);

const bundles = [
  ...(elsewhere === undefined ? Object.entries(BUNDLES) : []),
  ...Object.entries(ON_DEMAND).map(([file, [, entry]]) => [join(directory, file), entry]),
];

const options = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  conditions: ['a3s-source'],
  alias: Object.fromEntries(specifiers),
  // `pg` looks for pg-native, and does without.
  external: [
    'better-sqlite3',
    'koffi',
    'pg-native',
    ...Object.keys(ON_DEMAND).map((file) => `*/${file}`),
  ],
  legalComments: 'linked',
  logLevel: 'warning',
};

await Promise.all(
  bundles.map(([outfile, entry]) =>
    build({
      ...options,
      entryPoints: [entry],
      outfile,
      // A bundle is not an alias of itself.
      alias: Object.fromEntries(specifiers.filter(([name]) => name !== entry)),
    }),
  ),
);
await buildCli(directory, options);

if (elsewhere === undefined) {
  cpSync(join(root, 'packaging/systemd'), join(root, 'dist/systemd'), { recursive: true });
}

for (const [name, files] of Object.entries(elsewhere === undefined ? NATIVE : {})) {
  const from = join(root, 'node_modules', name);
  const to = join(root, 'dist/node_modules', name);
  rmSync(to, { recursive: true, force: true });
  for (const file of files) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(from, file), join(to, file), { recursive: true });
  }
}

function nativeFiles() {
  return Object.entries(NATIVE).flatMap(([name, files]) => files.map((file) => `${name}/${file}`));
}
