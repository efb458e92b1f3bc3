/**
 * The tests that a change can reach beyond imports: rules for programs that a test starts and files
 * that it reads.
 *
 * @module
 */
import type { StageName } from '../stage-names.ts';

/**
 * Of a stage: every test, or files by how their paths begin. A stage whose tests are no files runs
 * for any file.
 */
export type Selection = 'all' | readonly string[];
export type Plan = Partial<Readonly<Record<StageName, Selection>>>;

interface Rule {
  readonly path: RegExp;
  readonly reaches: Plan;
}

const e2e = (...names: string[]): string[] => names.map((name) => `test/e2e/${name}.test.ts`);
const clients = (...names: string[]): string[] =>
  names.map((name) => `test/clients/${name}.test.ts`);

const CONFIDENTIAL = [
  ...['test/e2e/confidential-', 'test/e2e/hostile-host/'],
  ...e2e('boot-sets', 'measure', 'sealing'),
];
const TEMPLATES = e2e(
  ...['templates', 'template-engine', 'warm', 'pool', 'snapshot', 'gates', 'crash', 'run'],
);
const TRUST = [
  ...e2e('trust', 'confidential-box'),
  ...clients('cosign'),
  // Compares a source file with the documentation.
  'test/docs/trust.test.ts',
];
/** Build or pack the packages as files. */
const PACKAGES = ['test/docs/package.test.ts', 'test/docs/examples.test.ts', 'test/browser/'];
const IMAGES = [
  ...e2e('bad-input', 'damaged-home', 'poor-host', 'run', 'trust'),
  ...e2e('confidential-agent', 'hostile-host/files', 'hostile-host/layers'),
  ...clients('layers', 'cosign', 'docker/transcript', 'docker/dockerode'),
];
export const EVERYTHING: Plan = {
  check: 'all',
  go: 'all',
  unit: 'all',
  attestation: 'all',
  fuzz: 'all',
  host: 'all',
  kvm: 'all',
  vm: 'all',
};

/** The first that fits holds; a path that none fits reaches everything. */
const RULES: readonly Rule[] = [
  {
    path: /\.md$/,
    reaches: {
      unit: [
        'src/server/docker/docker-api-doc.test.ts',
        'src/cli/help/error-reference.test.ts',
        'src/cli/help/reference.test.ts',
        'src/cli/node-options.test.ts',
        'src/guest/guest-errors.test.ts',
        'src/oci/host-spellings.test.ts',
        'src/trust/conditions/conditions.test.ts',
        'ratls/src/readme.test.ts',
        'policies/src/image-policy/image-policy.test.ts',
        'test/clients/docker/script.test.ts',
      ],
      host: ['test/docs/'],
      vm: e2e('hostile-host/files'),
    },
  },
  { path: /^(LICENSE|\.gitignore)$/, reaches: { host: ['test/docs/package.test.ts'] } },
  {
    path: /^native\/agent\//,
    // The API's document is read as a file.
    reaches: { check: 'all', go: 'all', unit: ['ratls/src/errors.test.ts'], kvm: 'all', vm: 'all' },
  },
  { path: /^native\/krun\//, reaches: { check: 'all', unit: [], vm: e2e('krun') } },
  {
    path: /^test\/vectors\//,
    reaches: { go: 'all', unit: 'all', attestation: 'all', fuzz: 'all', host: 'all' },
  },
  { path: /^test\/fuzz\//, reaches: { check: 'all', unit: [], attestation: [], fuzz: 'all' } },
  {
    path: /^attestation\//,
    // With thresholds of coverage: part of it would not come up to them.
    reaches: {
      check: 'all',
      unit: [],
      attestation: 'all',
      fuzz: 'all',
      host: PACKAGES,
      vm: CONFIDENTIAL,
    },
  },
  {
    path: /^(policies|ratls|sealing)\//,
    reaches: {
      check: 'all',
      unit: [],
      attestation: 'all',
      fuzz: 'all',
      host: PACKAGES,
      vm: CONFIDENTIAL,
    },
  },
  {
    path: /\.test\.ts$/,
    reaches: { check: 'all', unit: [], attestation: [], host: [], kvm: [], vm: [] },
  },
  // A program by itself: no box and no control server has anything of it.
  {
    path: /^src\/(broker|cli\/commands\/broker)\//,
    reaches: ofSource(['test/docs/broker.test.ts']),
  },
  { path: /^src\/(trust|signing|registry|distribution)\//, reaches: ofSource(TRUST) },
  { path: /^src\/templates\//, reaches: { ...ofSource(TEMPLATES), kvm: 'all' } },
  { path: /^src\/snapshots\//, reaches: { ...ofSource(e2e('snapshot')), kvm: 'all' } },
  { path: /^src\/images\//, reaches: ofSource(IMAGES) },
  {
    path: /^src\/cli\/commands\/(attest|confidential|ratls|policy)/,
    reaches: ofSource(CONFIDENTIAL),
  },
  { path: /^src\//, reaches: { check: 'all', unit: [], host: 'all', kvm: 'all', vm: 'all' } },
  { path: /^packaging\//, reaches: { check: 'all', unit: 'all', vm: e2e('systemd') } },
  { path: /^bench\/.*\.ts$/, reaches: { check: 'all', unit: [] } },
  { path: /^scripts\/test\/.*\.ts$/, reaches: { check: 'all', unit: [] } },
  // What imports a module of the tests shows.
  { path: /^test\/.*\.ts$/, reaches: { check: 'all', unit: [], host: [], kvm: [], vm: [] } },
];

/**
 * Of a part of the product: its unit tests by their imports, and these files, whichever stage has
 * them.
 */
function ofSource(files: readonly string[]): Plan {
  return { check: 'all', unit: [], host: files, vm: files };
}

/** Everything that changes of these paths reach, imports aside. */
export function reachOf(paths: readonly string[]): Plan {
  return paths.reduce<Plan>((plan, path) => {
    const { reaches } = RULES.find((rule) => rule.path.test(path)) ?? { reaches: EVERYTHING };
    return merged(plan, reaches);
  }, {});
}

/** What either reaches. */
export function merged(one: Plan, other: Plan): Plan {
  const plan: Partial<Record<StageName, Selection>> = { ...one };
  for (const [stage, selection] of Object.entries(other) as [StageName, Selection][]) {
    const present = plan[stage] ?? [];
    plan[stage] =
      present === 'all' || selection === 'all' ? 'all' : [...new Set([...present, ...selection])];
  }
  return plan;
}
