// Bundles the command line and the server, and lays everything the product needs into dist/: it can be copied as a whole.
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

/** The native add-on and what it loads at run time. */
const NATIVE = {
  'better-sqlite3': ['package.json', 'LICENSE', 'lib', 'build/Release/better_sqlite3.node'],
  bindings: ['package.json', 'LICENSE.md', 'bindings.js'],
  'file-uri-to-path': ['package.json', 'LICENSE', 'index.js'],
};

/** Bundle → its entry. */
const BUNDLES = {
  'dist/a3s-box.cjs': 'src/cli/main.ts',
  'dist/attestation.cjs': 'src/cli/commands/attest/library.ts',
  'dist/image-policy.cjs': 'src/cli/commands/policy/image-library.ts',
  'dist/signing.cjs': 'src/signing/library.ts',
  'dist/server.cjs': 'src/server/main.ts',
  'dist/converter.cjs': 'src/images/converter/main.ts',
  'build/build-boot.cjs': 'scripts/build-boot.ts',
  'build/quickstart.cjs': 'scripts/quickstart.ts',
};

await Promise.all(
  Object.entries(BUNDLES).map(([outfile, entry]) =>
    build({
      absWorkingDir: root,
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      conditions: ['a3s-source'],
      // The command line loads what few commands need when it is called for, out of bundles of their own.
      alias: {
        '#attestation': './attestation.cjs',
        '#image-policy': './image-policy.cjs',
        '#signing': './signing.cjs',
      },
      external: ['better-sqlite3', '*/attestation.cjs', '*/image-policy.cjs', '*/signing.cjs'],
      legalComments: 'linked',
      logLevel: 'warning',
    }),
  ),
);

for (const [name, files] of Object.entries(NATIVE)) {
  const from = dirname(require.resolve(`${name}/package.json`));
  const to = join(root, 'dist/node_modules', name);
  rmSync(to, { recursive: true, force: true });
  for (const file of files) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(from, file), join(to, file), { recursive: true });
  }
}
