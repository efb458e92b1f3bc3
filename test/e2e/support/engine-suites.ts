/**
 * Which tests of `test/e2e` run with another engine than QEMU, and why the others do not: the one
 * list of both. `docs/boxes/engines.md` has the same limits in words.
 *
 * @module
 */
import { type EngineFeature, type EngineName, lacking } from '../../../src/engine/engine-name.ts';

/**
 * Why a test has no meaning with an engine: a feature that the product's own table says it lacks,
 * or another reason. A feature that the engine gets brings its tests back.
 */
type Reason = { readonly lacks: EngineFeature } | { readonly because: string };

const TEMPLATES: Reason = { because: 'every start boots: there are no templates' };
const ALIKE: Reason = { because: 'it asks nothing of a virtual machine monitor' };
const BELOW: Reason = { because: 'it starts QEMU by itself, and asks the guest' };
const DEVICES: Reason = { because: 'a microVM has eight places for disks, shares and cards' };
const OWN: Reason = { because: 'it starts boxes of both engines by itself' };
const LONG: Reason = { because: 'of a soak with QEMU alone' };

/** Files whose boxes may have any engine. */
const SUITES = [
  ...['binds', 'commit', 'confinement', 'copy', 'crash', 'disk-volumes', 'engine', 'health'],
  ...['image-mounts', 'logs', 'network', 'options', 'restart', 'run', 'terminal', 'volumes'],
  'watch',
] as const;

/** Files by their names, without their endings. */
type Excluded = Readonly<Record<string, Reason>>;

const KRUN: Excluded = {
  ...{ arm64: { lacks: 'architecture' }, egress: { lacks: 'egress' } },
  ...{ 'network-connect': { lacks: 'networks' }, 'user-networks': { lacks: 'networks' } },
  ...{ 'rootless-networks': { lacks: 'networks' }, 'pool-network': { lacks: 'networks' } },
  ...{ snapshot: { lacks: 'snapshot' }, 'disk-snapshots': { lacks: 'snapshot' } },
  ...{ resources: { lacks: 'disk-limits' }, 'boot-sets': { lacks: 'confidential' } },
  ...{ measure: { lacks: 'confidential' }, sealing: { lacks: 'confidential' } },
  ...{ 'sealed-database': { lacks: 'confidential' }, trust: { lacks: 'confidential' } },
  ...{
    'device-mapper': { lacks: 'confidential' },
    'confidential-agent': { lacks: 'confidential' },
  },
  ...{
    'confidential-box': { lacks: 'confidential' },
    'confidential-engine': { lacks: 'confidential' },
  },
  ...{ 'confidential-lifecycle': { lacks: 'confidential' } },
  ...{ 'confidential-options': { lacks: 'confidential' } },
  ...{
    'confidential-pod': { lacks: 'confidential' },
    'confidential-pods': { lacks: 'confidential' },
  },
  ...{ gates: TEMPLATES, pool: TEMPLATES, 'template-engine': TEMPLATES, templates: TEMPLATES },
  ...{ warm: TEMPLATES, 'poor-host': { because: 'the probe of the engine fails first' } },
  ...{ 'bad-input': ALIKE, 'damaged-home': ALIKE, systemd: ALIKE, 'other-user': ALIKE },
  ...{ guest: BELOW, 'limits-guest': BELOW, 'hostile-guest': OWN },
  ...{ 'bind-files': DEVICES, mounts: DEVICES, 'fuzzed-guest': OWN, krun: OWN },
  ...{
    pods: { because: 'pods name no engine' },
    'pods-churn': { because: 'pods name no engine' },
  },
  ...{ builder: { because: 'a builder has more devices than there are places' } },
  ...{
    'named-builders': DEVICES,
    'docker-inside': LONG,
    databases: LONG,
    'power-cut-boxes': LONG,
  },
};

const EXCLUDED: Readonly<Record<EngineName, Excluded>> = {
  qemu: {},
  krun: KRUN,
};

export function suitesOf(engine: EngineName): readonly string[] {
  return SUITES.filter((file) => why(engine, EXCLUDED[engine][file]) === undefined);
}

/** Of each file that does not run. */
export function excludedFiles(engine: EngineName): Readonly<Record<string, string>> {
  const reasons = Object.entries(EXCLUDED[engine]).map(([file, reason]) => [
    file,
    why(engine, reason),
  ]);
  return Object.fromEntries(reasons.filter(([, reason]) => reason !== undefined));
}

function why(engine: EngineName, reason: Reason | undefined): string | undefined {
  if (reason === undefined) return undefined;
  return 'because' in reason ? reason.because : lacking(engine, reason.lacks);
}
