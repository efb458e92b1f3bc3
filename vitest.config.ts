import { defineConfig } from 'vitest/config';

/** How long a property test searches; see test/fuzz. */
const FUZZ_MILLISECONDS = Number(process.env['FUZZ_SECONDS'] ?? '2') * 1000;

const resolve = { conditions: ['a3s-source'] };
const ssr = { resolve: { conditions: ['a3s-source'] } };

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          include: ['{policies,attestation,src}/**/*.test.ts'],
          testTimeout: 30_000 + FUZZ_MILLISECONDS,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'vm',
          include: ['test/{e2e,clients,browser}/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
