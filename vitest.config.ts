import { configDefaults, defineConfig } from 'vitest/config';
import { TEMPORARY } from './scripts/test/memory-directory.ts';
import { isolatedFiles } from './scripts/test/selection/isolation.ts';
import { suitesOf } from './test/e2e/support/engine-suites.ts';
import { scaled } from './test/e2e/time-scale.ts';

/** How long a property test searches; see test/fuzz. */
const FUZZ_MILLISECONDS = Number(process.env['FUZZ_SECONDS'] ?? '1') * 1000;

/**
 * How long a unit test may take: only what hangs takes that long, whatever else the machine is busy
 * with.
 */
const UNIT_MILLISECONDS = 120_000;

/** What a test waits for comes, however busy the machine is: Vitest gives it a second. */
const WAITING = { poll: { timeout: UNIT_MILLISECONDS / 2 } };

const IN_MEMORY = 'scripts/test/memory-directory.ts';

/** The programs as they are installed, and others beside them, without a virtual machine. */
const HOST = [
  'test/{browser,docs,networks}/**/*.test.ts',
  'test/clients/{attestation-peers,cosign,cri,kubectl}.test.ts',
  'test/clients/{broker,build}/*.test.ts',
  'test/e2e/{bad-input,damaged-home}.test.ts',
  'test/host/power-cut.test.ts',
];

/**
 * What has no process of its own: such a file takes that of the file before it, with the modules
 * that it loaded.
 */
const UNIT = ['policies', 'ratls', 'sealing', 'native/krun', 'src', 'bench', 'scripts'];
const UNIT_ISOLATED = isolatedFiles(import.meta.dirname, UNIT);

/**
 * Beside what they belong to, and without its hosts and boxes: the emulated host's channel,
 * docker's script, what a power cut tears.
 */
const PLAIN = [
  'test/host/{channel,lost-writes}.test.ts',
  'test/clients/docker/script.test.ts',
  'test/krun/*.test.ts',
  'test/escape/escape.test.ts',
];

/** They take minutes each, and the packages of other Debians: of a soak alone. */
const LONG_HOSTS = ['test/host/{emulated-host,hosts*,kvm-longer,reboot}.test.ts'];
/** It needs a libkrun, which Debian does not have. */
const KRUN_HOST = ['test/host/krun-library.test.ts'];
const OTHER_HOSTS = [
  ...(process.env['SOAK'] === undefined ? LONG_HOSTS : []),
  ...(process.env['A3S_KRUN_LIBRARY'] === undefined ? KRUN_HOST : []),
];

/**
 * The same of applications, databases and Dockerfiles, which need packages of Debian too, of power
 * cuts while boxes run, of two hundred pods, of builders with names, of Docker in a box, which
 * `builder` has in every run, and of devices that a host attaches to a confidential guest.
 */
const LONG_FILES = [
  'test/clients/build/dockerfiles.test.ts',
  'test/clients/compose/{applications,large-application,page,tiers}.test.ts',
  'test/clients/docker/testcontainers-databases.test.ts',
  'test/e2e/hostile-host/plugged-devices.test.ts',
  'test/e2e/{databases,docker-inside,named-builders,pods-churn,power-cut-boxes,rootless-networks,sealed-database}.test.ts',
];
const OTHER_FILES = process.env['SOAK'] === undefined ? LONG_FILES : [];

/** Of a run of `npm run test:krun -- --suites`. */
const OTHER_ENGINE = process.env['A3S_TEST_ENGINE'] === 'krun';
const VM = OTHER_ENGINE
  ? suitesOf('krun').map((file) => `test/e2e/${file}.test.ts`)
  : ['test/{e2e,clients}/**/*.test.ts'];

const resolve = { conditions: ['a3s-source'] };
const ssr = { resolve: { conditions: ['a3s-source'] } };

export default defineConfig({
  test: {
    // Vitest leaves one processor to itself, which of two is half.
    maxWorkers: 2,
    // With --coverage: relying parties trust this package, so its own tests go down every branch.
    coverage: {
      provider: 'v8',
      include: ['attestation/src/**/*.ts'],
      exclude: ['**/*.test.ts', '**/testing/**'],
      reportsDirectory: 'build/coverage',
      reporter: [['text', { skipFull: true }]],
      thresholds: { branches: 100 },
    },
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          expect: WAITING,
          env: { TMPDIR: TEMPORARY },
          globalSetup: [IN_MEMORY],
          include: [`{${UNIT}}/**/*.test.ts`, ...PLAIN],
          exclude: [...configDefaults.exclude, ...UNIT_ISOLATED],
          isolate: false,
          testTimeout: UNIT_MILLISECONDS + FUZZ_MILLISECONDS,
          hookTimeout: UNIT_MILLISECONDS,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'unit-isolated',
          expect: WAITING,
          env: { TMPDIR: TEMPORARY },
          globalSetup: [IN_MEMORY],
          include: UNIT_ISOLATED,
          testTimeout: UNIT_MILLISECONDS + FUZZ_MILLISECONDS,
          hookTimeout: UNIT_MILLISECONDS,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'attestation',
          expect: WAITING,
          include: ['attestation/**/*.test.ts'],
          isolate: false,
          testTimeout: UNIT_MILLISECONDS + FUZZ_MILLISECONDS,
          hookTimeout: UNIT_MILLISECONDS,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'host',
          expect: WAITING,
          include: HOST,
          exclude: [...configDefaults.exclude, ...OTHER_FILES],
          globalSetup: ['test/e2e/global-setup.ts'],
          testTimeout: UNIT_MILLISECONDS,
          hookTimeout: UNIT_MILLISECONDS,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'kvm',
          include: ['test/host/*.test.ts'],
          exclude: [...configDefaults.exclude, ...PLAIN, ...HOST, ...OTHER_HOSTS],
          globalSetup: ['test/e2e/global-setup.ts'],
          // Only what hangs takes so long: an emulated host on a busy machine is several times as
          // slow as usual.
          testTimeout: 600_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'vm',
          expect: { poll: { timeout: scaled(120_000) } },
          include: VM,
          exclude: [...configDefaults.exclude, ...PLAIN, ...HOST, ...OTHER_FILES],
          globalSetup: ['test/e2e/global-setup.ts'],
          // Other limits than these are scaled as well: by `scaled`, and no others.
          testTimeout: scaled(300_000),
          hookTimeout: scaled(300_000),
          fileParallelism: false,
        },
      },
    ],
  },
});
