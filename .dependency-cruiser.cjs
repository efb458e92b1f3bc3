/** Which room may import which; the compiler's project references hold the packages, this holds the folders of src. */
const ROOMS = {
  cli: [
    'cli',
    'signing',
    'images/reference',
    'trust/policy/load-policy',
    'config',
    'errors',
    'make-directories',
  ],
  server: [
    'server',
    'boxes',
    'images',
    'registry',
    'trust',
    'distribution',
    'engine',
    'boot',
    'guest',
    'cell',
    'state',
    'config',
    'errors',
    'make-directories',
  ],
  boxes: [
    'boxes',
    'images',
    'trust',
    'distribution',
    'registry/registry',
    'engine',
    'boot',
    'guest',
    'cell',
    'state',
    'errors',
    'make-directories',
  ],
  // What a registry has meets what the store keeps.
  distribution: ['distribution', 'registry', 'images', 'trust', 'errors'],
  trust: [
    'trust',
    'images/attachments/attachment',
    'images/digest',
    'images/reference',
    'images/json',
    'make-directories',
    'errors',
  ],
  registry: ['registry', 'images/digest', 'images/digest-text', 'images/reference', 'errors'],
  signing: [
    'signing',
    'images/digest',
    'images/digest-text',
    'images/json',
    // What is written and what is read have one form.
    'trust/evidence/dsse',
    'trust/evidence/statement',
    'trust/evidence/problem',
    'trust/policy/policy-keys',
    'trust/signer/signer-key',
    'errors',
  ],
  images: ['images', 'cell', 'state', 'errors'],
  engine: ['engine', 'cell', 'errors'],
  // The interface alone: a guest is reached through a machine's byte stream.
  guest: ['guest', 'engine/engine', 'cell/cell', 'errors'],
  boot: ['boot', 'errors'],
  cell: ['cell', 'errors'],
  state: ['state', 'errors'],
};

/** The same for the folders of attestation/src, where trust grows from top to bottom. */
const ATTESTATION_ROOMS = {
  der: ['der', 'errors', 'hex', 'owned-bytes'],
  report: ['report', 'errors', 'hex', 'owned-bytes', 'p384-order'],
  certificates: ['certificates', 'der', 'report', 'errors', 'hex', 'owned-bytes'],
  envelopes: [
    'envelopes',
    'certificates',
    'der',
    'report',
    'evidence',
    'errors',
    'hex',
    'owned-bytes',
  ],
  roots: ['roots', 'report', 'hex'],
  verify: ['verify', 'certificates', 'report', 'roots', 'evidence', 'errors', 'hex', 'owned-bytes'],
  appraise: ['appraise', 'verify', 'report', 'hex'],
  measure: ['measure', 'errors', 'hex', 'owned-bytes', 'p384-order'],
  endorsements: [
    'endorsements',
    'verify',
    'certificates',
    'envelopes',
    'report',
    'evidence',
    'errors',
    'hex',
    'owned-bytes',
    'durable-file',
  ],
  simulated: [
    'simulated',
    'appraise',
    'verify',
    'measure',
    'certificates',
    'envelopes',
    'der',
    'report',
    'roots',
    'evidence',
    'errors',
    'hex',
    'owned-bytes',
    'durable-file',
    'p384-order',
  ],
};

const TEST_FILES = '\\.test\\.ts$|/testing/';

function roomsOf(root, rooms) {
  return Object.entries(rooms).map(([room, allowed]) => ({
    name: `${root}/${room}`,
    comment: `${root}/${room} may import only ${allowed.join(', ')}`,
    severity: 'error',
    from: { path: `^${root}/${room}/`, pathNot: TEST_FILES },
    to: { path: `^${root}/`, pathNot: `^${root}/(${allowed.join('|')})(/|\\.ts$)` },
  }));
}

module.exports = {
  forbidden: [
    ...roomsOf('src', ROOMS),
    ...roomsOf('attestation/src', ATTESTATION_ROOMS),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'policies-stands-alone',
      severity: 'error',
      from: { path: '^policies/' },
      to: { path: '^(src|bench|scripts|attestation|ratls|sealing)/' },
    },
    {
      name: 'product-never-imports-tests',
      severity: 'error',
      from: { path: '^(src|policies|attestation)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(test|bench|scripts)/|\\.test\\.ts$' },
    },
    {
      name: 'attestation-stands-on-policies',
      severity: 'error',
      from: { path: '^attestation/' },
      to: { path: '^(src|bench|scripts|ratls|sealing)/' },
    },
    {
      name: 'browsers-have-no-node',
      comment: 'what the entry for browsers is made of runs without Node',
      severity: 'error',
      from: {
        path: '^attestation/src/(browser|common|evidence|errors|hex|owned-bytes|p384-order|der|certificates|report|envelopes|roots|appraise|verify)|^policies/src/',
        pathNot: `${TEST_FILES}|^attestation/src/verify/node-signatures\\.ts$`,
      },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'not-resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
      conditionNames: ['a3s-source', 'types', 'import', 'require', 'node', 'default'],
    },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|build)/' },
  },
};
