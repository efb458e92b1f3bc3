/**
 * The call that runs a build, `Control/Solve` of BuildKit's API, and that of its frontend,
 * `LLBBridge/Solve`: what the control server reads of them, and what it changes.
 *
 * A result is stored in the builder without a name. So no name in the builder can stand for an
 * image in a `FROM`, and two builds of one name do not meet; the image store gives the names.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { canonicalName, parseReference, withDefaultTag } from '../../oci/reference.ts';
import { bytesField, type Field, mapEntry, mapOf, readFields, textsOf } from '../wire/protobuf.ts';

/** Fields of `moby.buildkit.v1.SolveRequest`. */
const SOLVE = {
  ref: 1,
  exporter: 3,
  exporterAttrs: 4,
  frontend: 6,
  frontendAttrs: 7,
  cache: 8,
  exporters: 13,
} as const;
/** Fields of `moby.buildkit.v1.Exporter`. */
const EXPORTER = { type: 1, attrs: 2 } as const;
/** Fields of `moby.buildkit.v1.CacheOptions` and of its entries. */
const CACHE = { exports: 4, type: 1 } as const;
/** Fields of `moby.buildkit.v1.frontend.SolveRequest`. */
const FRONTEND_SOLVE = { frontend: 2, frontendAttrs: 3 } as const;
/** Field of `moby.buildkit.v1.SolveResponse`. */
const RESPONSE = 1;

/** Exporters whose result stays in the builder. */
const IMAGE = 'image';
const STORING = ['moby', IMAGE];
/** As Docker's daemon calls an image without a name, before its digest. */
const NAMELESS = 'moby-dangling';
/** Attributes of exporters that name the result there, or would prepare it to run there. */
const TAKEN = ['name', 'dangling-name-prefix', 'name-canonical', 'unpack'];

/** What the builder reads as false, and what is not there. */
const NO = ['', '0', 'f', 'F', 'false', 'FALSE', 'False'];

const RESOLVE_MODE = 'image-resolve-mode';
const PULL = 'pull';
const OCI_LAYOUT = 'oci-layout://';

const IMAGE_NAME = 'image.name';
const DIGEST = 'containerimage.digest';
const CONFIG_DIGEST = 'containerimage.config.digest';

export interface Solve {
  /** The client's id of the build. */
  readonly ref: string;
  /** The message for the builder. */
  readonly message: Buffer;
  /** Whether the result is to be an image here. */
  readonly stores: boolean;
  /** Canonical names for the result. */
  readonly names: readonly string[];
  /** The names as the client wrote them. */
  readonly spelledNames: string;
  /** Whether each image is to come from its registry, though it be here. */
  readonly pulls: boolean;
  /** Whether images come with the client's files, from `oci-layout://`. */
  readonly hasLayouts: boolean;
}

/**
 * @throws ProtobufError; A3sError `invalid-reference`, `unsupported-option` for a result or a cache
 *   that the builder would push
 */
export function readSolve(message: Buffer): Solve {
  const fields = readFields(message);
  const exporters = exportersOf(fields);
  const names = new Set<string>();
  for (const { type, attrs } of exporters) {
    if (!STORING.includes(type)) continue;
    if (!NO.includes(attrs.get('push') ?? '')) throw pushes('the result');
    for (const name of (attrs.get('name') ?? '').split(',')) if (name !== '') names.add(name);
  }
  if (cacheExports(fields).includes('registry')) throw pushes('its cache');
  const frontendAttrs = mapOf(fields, SOLVE.frontendAttrs);
  const olderStores = STORING.includes(textsOf(fields, SOLVE.exporter)[0] ?? '');
  const kept = fields.flatMap((field) => rewritten(field, olderStores));
  if (olderStores) kept.push(...given(SOLVE.exporterAttrs));
  return {
    ref: textsOf(fields, SOLVE.ref).at(-1) ?? '',
    message: Buffer.concat([...kept, ...resolving(fields, SOLVE.frontend, SOLVE.frontendAttrs)]),
    stores: exporters.some(({ type }) => STORING.includes(type)),
    names: [...names].map((name) => canonicalName(withDefaultTag(parseReference(name)))),
    spelledNames: [...names].join(','),
    pulls: frontendAttrs.get(RESOLVE_MODE) === PULL,
    hasLayouts: message.includes(OCI_LAYOUT),
  };
}

export interface FrontendSolve extends Pick<Solve, 'message' | 'pulls' | 'hasLayouts'> {}

/** @throws ProtobufError */
export function readFrontendSolve(message: Buffer): FrontendSolve {
  const fields = readFields(message);
  const { frontend, frontendAttrs } = FRONTEND_SOLVE;
  return {
    message: Buffer.concat([
      ...fields.map(({ encoded }) => encoded),
      ...resolving(fields, frontend, frontendAttrs),
    ]),
    pulls: mapOf(fields, frontendAttrs).get(RESOLVE_MODE) === PULL,
    hasLayouts: message.includes(OCI_LAYOUT),
  };
}

/** The digest of the result: of an index, or of a manifest. Undefined where none was made. */
export function resultDigest(response: Buffer): string | undefined {
  return mapOf(readFields(response), RESPONSE).get(DIGEST);
}

/**
 * The response with the names that the client gave, and with the id that the image has here, which
 * is its configuration's digest: `--quiet` and `--iidfile` give it to the user.
 */
export function namedResponse(response: Buffer, spelledNames: string, imageId: string): Buffer {
  const fields = readFields(response);
  const values = new Map(mapOf(fields, RESPONSE));
  if (spelledNames !== '') values.set(IMAGE_NAME, spelledNames);
  else values.delete(IMAGE_NAME);
  values.set(CONFIG_DIGEST, imageId);
  return Buffer.concat([
    ...fields.filter(({ number }) => number !== RESPONSE).map(({ encoded }) => encoded),
    ...[...values].map(([key, value]) => mapEntry(RESPONSE, key, value)),
  ]);
}

interface Exporter {
  readonly type: string;
  readonly attrs: ReadonlyMap<string, string>;
}

/** The one of older clients, and those of newer ones, which may send both. */
function exportersOf(fields: readonly Field[]): readonly Exporter[] {
  const [type = ''] = textsOf(fields, SOLVE.exporter);
  const first = { type, attrs: mapOf(fields, SOLVE.exporterAttrs) };
  const others = fields.flatMap(({ number, content }) => {
    if (number !== SOLVE.exporters || content === undefined) return [];
    const inside = readFields(content);
    const [type = ''] = textsOf(inside, EXPORTER.type);
    return [{ type, attrs: mapOf(inside, EXPORTER.attrs) }];
  });
  return [first, ...others];
}

function cacheExports(fields: readonly Field[]): readonly string[] {
  return fields
    .filter(({ number }) => number === SOLVE.cache)
    .flatMap(({ content }) => readFields(content ?? Buffer.alloc(0)))
    .filter(({ number }) => number === CACHE.exports)
    .flatMap(({ content }) => textsOf(readFields(content ?? Buffer.alloc(0)), CACHE.type));
}

/**
 * The field without names of a result that stays in the builder. Docker's own exporter would unpack
 * the result, with which `rewrite-timestamp` does not go, so BuildKit's takes its place.
 */
function rewritten(field: Field, olderStores: boolean): readonly Buffer[] {
  const { number, content, encoded } = field;
  if (content === undefined) return [encoded];
  if (olderStores && number === SOLVE.exporter) return [bytesField(number, IMAGE)];
  if (olderStores && number === SOLVE.exporterAttrs) return isTaken(field) ? [] : [encoded];
  if (number !== SOLVE.exporters) return [encoded];
  const inside = readFields(content);
  const [type = ''] = textsOf(inside, EXPORTER.type);
  if (!STORING.includes(type)) return [encoded];
  const kept = inside.filter(
    (each) => each.number !== EXPORTER.type && (each.number !== EXPORTER.attrs || !isTaken(each)),
  );
  const parts = [bytesField(EXPORTER.type, IMAGE), ...kept.map((each) => each.encoded)];
  return [bytesField(number, Buffer.concat([...parts, ...given(EXPORTER.attrs)]))];
}

/** Attributes of every result that stays in the builder. */
function given(attrs: number): readonly Buffer[] {
  return [mapEntry(attrs, 'dangling-name-prefix', NAMELESS), mapEntry(attrs, 'unpack', 'false')];
}

function isTaken({ content }: Field): boolean {
  const [key = ''] = textsOf(readFields(content ?? Buffer.alloc(0)), 1);
  return TAKEN.includes(key);
}

/**
 * An entry that has the frontend ask for each image. The last entry of a key counts; without it,
 * the builder would use what it has under a name.
 */
function resolving(
  fields: readonly Field[],
  frontend: number,
  frontendAttrs: number,
): readonly Buffer[] {
  const [name = ''] = textsOf(fields, frontend);
  return name === '' ? [] : [mapEntry(frontendAttrs, RESOLVE_MODE, PULL)];
}

function pushes(what: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot push ${what} during a build: the builder writes to no registry`,
    { remedy: 'Build without it, and then push the image: docker push NAME.' },
  );
}
