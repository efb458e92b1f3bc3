/**
 * The rules that the imports of TypeScript follow. Which room may import which is in scripts/rooms.
 */
const { ATTESTATION_ROOMS, BOXES_ROOMS, ROOMS } = require('./scripts/rooms/rooms.cjs');
const { ROOMS_BESIDE_FILES } = require('./scripts/rooms/rooms-beside-files.cjs');

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

function roomsBesideFiles([root, rooms]) {
  return Object.entries(rooms).map(([room, others]) => ({
    name: `${root}/${room}`,
    comment: `of the rooms of ${root}, ${room} may import only ${others.join(', ') || 'itself'}`,
    severity: 'error',
    from: { path: `^${root}/${room}/`, pathNot: TEST_FILES },
    to: {
      path: `^${root}/[^/]+/`,
      pathNot: `^${root}/(${[room, ...others].join('|')})/`,
    },
  }));
}

module.exports = {
  forbidden: [
    ...roomsOf('src', ROOMS),
    ...roomsOf('src/boxes', BOXES_ROOMS),
    ...roomsOf('attestation/src', ATTESTATION_ROOMS),
    ...Object.entries(ROOMS_BESIDE_FILES).flatMap(roomsBesideFiles),
    {
      name: 'cli-has-no-schemas',
      comment:
        'the command line names the documents of the API by their types, and does not load zod for them',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: TEST_FILES },
      to: { path: '^src/docker-api/', dependencyTypesNot: ['type-only'] },
    },
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
      from: {
        path: '^(src|policies|attestation|ratls|sealing|native/krun)/',
        pathNot: '\\.test\\.ts$',
      },
      to: { path: '^(test|bench|scripts)/|\\.test\\.ts$' },
    },
    {
      name: 'attestation-stands-on-policies',
      severity: 'error',
      from: { path: '^attestation/' },
      to: { path: '^(src|bench|scripts|ratls|sealing)/' },
    },
    {
      name: 'ratls-stands-on-attestation',
      severity: 'error',
      from: { path: '^ratls/' },
      to: { path: '^(src|bench|scripts|sealing)/' },
    },
    {
      name: 'sealing-stands-alone',
      severity: 'error',
      from: { path: '^sealing/', pathNot: TEST_FILES },
      to: { path: '^(src|bench|scripts|policies|attestation|ratls)/' },
    },
    {
      name: 'krun-stands-alone',
      severity: 'error',
      from: { path: '^native/krun/', pathNot: TEST_FILES },
      to: { path: '^(src|bench|scripts|policies|attestation|ratls|sealing)/' },
    },
    {
      name: 'browsers-have-no-node',
      comment: 'what the entry for browsers is made of runs without Node',
      severity: 'error',
      from: {
        path: '^attestation/src/(browser|common|evidence|errors|hex|owned-bytes|p384-order|der|certificates|report|envelopes|roots|appraise|verify|ear)|^policies/src/|^sealing/src/',
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
    // Programs of the applications that tests run in boxes have their packages there.
    exclude: { path: '(^|/)dist/|(?<!^src)(^|/)build/|^test/applications/' },
  },
};
