/** Which room may import which; the compiler's project references hold the packages, this holds the folders of src. */
const ROOMS = {
  cli: ['cli', 'config', 'errors'],
  server: [
    'server',
    'boxes',
    'images',
    'engine',
    'boot',
    'guest',
    'cell',
    'state',
    'config',
    'errors',
  ],
  boxes: ['boxes', 'images', 'engine', 'boot', 'guest', 'cell', 'state', 'errors'],
  images: ['images', 'cell', 'state', 'errors'],
  engine: ['engine', 'cell', 'errors'],
  // The interface alone: a guest is reached through a machine's byte stream.
  guest: ['guest', 'engine/engine', 'cell/cell', 'errors'],
  boot: ['boot', 'errors'],
  cell: ['cell', 'errors'],
  state: ['state', 'errors'],
};

const rooms = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `src-${room}`,
  comment: `src/${room} may import only ${allowed.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${room}/`, pathNot: '\\.test\\.ts$' },
  to: { path: '^src/', pathNot: `^src/(${allowed.join('|')})(/|\\.ts$)` },
}));

module.exports = {
  forbidden: [
    ...rooms,
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
