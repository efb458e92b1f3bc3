/**
 * The call that runs a build, `Control/Solve` of BuildKit's API, and that of its frontend,
 * `LLBBridge/Solve`: what the control server reads of them, and what it changes.
 *
 * A result is stored in the builder under a name that means nothing, and that no other result has.
 * So no name in the builder can stand for an image in a `FROM`, and two builds do not meet,
 * whatever their names and digests; the image store gives the names.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { canonicalName, parseReference, withDefaultTag } from '../../oci/reference.ts';
import {
  bytesField,
  entryOf,
  type Field,
  mapEntry,
  mapOf,
  ProtobufError,
  readFields,
  textOf,
  textsOf,
} from '../wire/protobuf.ts';
import { CACHE_IMPORTS, checkCache, checkedImports, checkImports } from './cache-options.ts';
import { readPlatforms } from './platforms.ts';
import { ARGUMENT, isProxyArgument, proxyArguments } from './proxy-arguments.ts';
import { type PushTarget, pushes, resultTargets } from './pushes.ts';
import { refuseControlGroup, refuseEntitlements } from './step-rights.ts';

/** Fields of `moby.buildkit.v1.SolveRequest`. */
const SOLVE = {
  ref: 1,
  exporter: 3,
  exporterAttrs: 4,
  frontend: 6,
  frontendAttrs: 7,
  cache: 8,
  entitlements: 9,
  sourcePolicy: 12,
  exporters: 13,
  sourcePolicySession: 15,
} as const;
/** Fields of `moby.buildkit.v1.Exporter`. */
const EXPORTER = { type: 1, attrs: 2 } as const;
/** Fields of `moby.buildkit.v1.frontend.SolveRequest`. */
const FRONTEND_SOLVE = {
  frontend: 2,
  frontendAttrs: 3,
  cacheImports: 12,
  sourcePolicies: 15,
} as const;
/** Field of `moby.buildkit.v1.SolveResponse`. */
const RESPONSE = 1;

/** Exporters whose result stays in the builder. */
const IMAGE = 'image';
const STORING = ['moby', IMAGE];
/**
 * What the names of results begin with, before their digests. BuildKit looks whether a name is
 * there and makes it afterwards, so that one of two builds of a digest would fail under one name.
 */
const RESULT_NAME = 'a3s-result-';
/** Attributes of exporters that name the result there, or would prepare it to run there. */
const TAKEN = ['name', 'dangling-name-prefix', 'name-canonical', 'unpack', 'push'];

/** What the builder reads as false, and what is not there. */
const NO = ['', '0', 'f', 'F', 'false', 'FALSE', 'False'];

/** BuildKit's provenance has it, with the other attributes of the frontend. */
const IMAGE_POLICY = 'image-policy';
const RESOLVE_MODE = 'image-resolve-mode';
const PULL = 'pull';
const PLATFORM = 'platform';
const CGROUP_PARENT = 'cgroup-parent';
/** Wherever it is in a message: `oci-layout:x` means the same to a frontend. */
const OCI_LAYOUT = /oci-layout/i;

const MAX_EXPORTERS = 16;
const MAX_NAMES = 100;

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
  /** Where the builder is to write. */
  readonly pushes: readonly PushTarget[];
  /** Whether each image is to come from its registry, though it be here. */
  readonly pulls: boolean;
  /** What the result is for; none where the client does not say it. */
  readonly platforms: readonly Platform[];
  /**
   * Whether images come with the client's files, from `oci-layout://`, or may do so: a source
   * policy puts another source in the place of one.
   */
  readonly hasLayouts: boolean;
}

/** What the control server gives a build. */
export interface Given {
  /** URL of the proxy for its steps. */
  readonly stepProxy: string;
  /** Digest of the image policy that decides on its images. */
  readonly policy: string;
}

/**
 * @param key of this build alone: letters and digits
 * @throws ProtobufError; A3sError `invalid-reference`, `invalid-argument` for a result to be pushed
 *   without a name, `unsupported-option` for one that is to be pushed by its digest, for a cache
 *   that is not from a registry, and for steps in the builder's network or in a control group
 */
export function readSolve(message: Buffer, build: Given, key: string): Solve {
  const fields = readFields(message);
  const exporters = exportersOf(fields);
  const names = new Set<string>();
  for (const { type, attrs } of exporters) {
    if (!STORING.includes(type)) continue;
    for (const name of namesOf(attrs)) names.add(name);
    if (names.size > MAX_NAMES) throw new ProtobufError(`a result has over ${MAX_NAMES} names`);
  }
  refuseEntitlements(textsOf(fields, SOLVE.entitlements));
  const pushTargets = [...checkCache(fields.filter(({ number }) => number === SOLVE.cache))];
  const given = (attrs: ReadonlyMap<string, string>, name: string): Attributes => {
    const targets = isPushed(attrs) ? resultTargets(namesOf(attrs), name) : [];
    pushTargets.push(...targets);
    return attributesGiven(targets, name);
  };
  const frontendAttrs = mapOf(fields, SOLVE.frontendAttrs);
  refuseControlGroup(frontendAttrs.get(CGROUP_PARENT) ?? '');
  const olderStores = STORING.includes(textOf(fields, SOLVE.exporter));
  // One build may have several results, of one digest.
  const kept = withoutTaken(fields, SOLVE.frontendAttrs).flatMap((field, n) =>
    rewritten(field, olderStores, (attrs) => given(attrs, `${RESULT_NAME}${key}-${n}`)),
  );
  if (olderStores) {
    const attrs = given(mapOf(fields, SOLVE.exporterAttrs), `${RESULT_NAME}${key}`);
    kept.push(...entries(SOLVE.exporterAttrs, attrs));
  }
  return {
    ref: textOf(fields, SOLVE.ref),
    message: Buffer.concat([
      ...kept,
      ...resolving(fields, SOLVE.frontend, SOLVE.frontendAttrs, build),
    ]),
    stores: exporters.some(({ type }) => STORING.includes(type)),
    names: [...names].map(namedHere),
    spelledNames: [...names].join(','),
    pushes: pushTargets,
    pulls: frontendAttrs.get(RESOLVE_MODE) === PULL,
    platforms: platformsOf(frontendAttrs),
    hasLayouts: mayHaveLayouts(message, fields, [SOLVE.sourcePolicy, SOLVE.sourcePolicySession]),
  };
}

export interface FrontendSolve
  extends Pick<Solve, 'message' | 'pulls' | 'platforms' | 'hasLayouts'> {}

/**
 * @throws ProtobufError; A3sError `unsupported-option` for a cache that is not from a registry, and
 *   for steps in a control group
 */
export function readFrontendSolve(message: Buffer, build: Given): FrontendSolve {
  const fields = readFields(message);
  const { frontend, frontendAttrs, cacheImports } = FRONTEND_SOLVE;
  checkImports(fields.filter(({ number }) => number === cacheImports));
  const attrs = mapOf(fields, frontendAttrs);
  refuseControlGroup(attrs.get(CGROUP_PARENT) ?? '');
  return {
    message: Buffer.concat([
      ...withoutTaken(fields, frontendAttrs).map(({ encoded }) => encoded),
      ...resolving(fields, frontend, frontendAttrs, build),
    ]),
    pulls: attrs.get(RESOLVE_MODE) === PULL,
    platforms: platformsOf(attrs),
    hasLayouts: mayHaveLayouts(message, fields, [FRONTEND_SOLVE.sourcePolicies]),
  };
}

/** What cannot be read is for the frontend to refuse. */
function platformsOf(frontendAttrs: ReadonlyMap<string, string>): readonly Platform[] {
  return readPlatforms(frontendAttrs.get(PLATFORM) ?? '');
}

function mayHaveLayouts(
  message: Buffer,
  fields: readonly Field[],
  policies: readonly number[],
): boolean {
  return (
    OCI_LAYOUT.test(message.toString('latin1')) ||
    fields.some(({ number }) => policies.includes(number))
  );
}

function namedHere(name: string): string {
  const reference = parseReference(name);
  if (reference.digest === undefined) return canonicalName(withDefaultTag(reference));
  throw new A3sError('invalid-reference', `Cannot name a result ${name}: its digest is not known`, {
    remedy: 'Give it a name with a tag: -t NAME:TAG.',
  });
}

/**
 * The digest of the result: of an index, or of a manifest. Undefined where none was made.
 *
 * @throws ProtobufError
 */
export function resultDigest(response: Buffer): Digest | undefined {
  const digest = mapOf(readFields(response), RESPONSE).get(DIGEST);
  if (digest === undefined || isDigest(digest)) return digest;
  throw new ProtobufError(`the result has the digest ${JSON.stringify(digest.slice(0, 80))}`);
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
  const first = {
    type: textOf(fields, SOLVE.exporter),
    attrs: mapOf(fields, SOLVE.exporterAttrs),
  };
  const others = fields.filter(({ number }) => number === SOLVE.exporters);
  if (others.length > MAX_EXPORTERS) {
    throw new ProtobufError(`a build has over ${MAX_EXPORTERS} results`);
  }
  return [first, ...others.map(({ content }) => exporterOf(content))];
}

function exporterOf(content: Buffer | undefined): Exporter {
  if (content === undefined) throw new ProtobufError('a result has no fields');
  const fields = readFields(content);
  return { type: textOf(fields, EXPORTER.type), attrs: mapOf(fields, EXPORTER.attrs) };
}

/**
 * The field without names of a result that stays in the builder. Docker's own exporter would unpack
 * the result, with which `rewrite-timestamp` does not go, so BuildKit's takes its place.
 *
 * Results are encoded anew, so the builder reads nothing in them that was not read here.
 */
function rewritten(
  field: Field,
  olderStores: boolean,
  given: (attrs: ReadonlyMap<string, string>) => Attributes,
): readonly Buffer[] {
  const { number, content, encoded } = field;
  if (content === undefined) return [encoded];
  if (olderStores && number === SOLVE.exporter) return [bytesField(number, IMAGE)];
  if (olderStores && number === SOLVE.exporterAttrs) {
    return TAKEN.includes(entryOf(content)[0]) ? [] : [encoded];
  }
  if (number !== SOLVE.exporters) return [encoded];
  const { type, attrs } = exporterOf(content);
  const stores = STORING.includes(type);
  const kept = [...attrs].filter(([key]) => !stores || !TAKEN.includes(key));
  const parts = [
    bytesField(EXPORTER.type, stores ? IMAGE : type),
    ...entries(EXPORTER.attrs, kept),
    ...(stores ? entries(EXPORTER.attrs, given(attrs)) : []),
  ];
  return [bytesField(number, Buffer.concat(parts))];
}

type Attributes = readonly (readonly [string, string])[];

/** Attributes of every result that stays in the builder. */
function attributesGiven(targets: readonly PushTarget[], name: string): Attributes {
  if (targets.length === 0) return [['dangling-name-prefix', name], UNPACKED];
  const names = targets.map(({ repository, tag }) => `${repository}:${tag}`);
  return [['name', names.join(',')], ['push', 'true'], UNPACKED];
}

const UNPACKED = ['unpack', 'false'] as const;

function entries(number: number, attributes: Attributes): readonly Buffer[] {
  return attributes.map(([key, value]) => mapEntry(number, key, value));
}

function namesOf(attrs: ReadonlyMap<string, string>): readonly string[] {
  return (attrs.get('name') ?? '').split(',').filter((name) => name !== '');
}

/** @throws A3sError `unsupported-option` */
function isPushed(attrs: ReadonlyMap<string, string>): boolean {
  if (NO.includes(attrs.get('push') ?? '')) return false;
  if (!NO.includes(attrs.get('push-by-digest') ?? '')) throw pushes('a result by its digest');
  return true;
}

/**
 * Without the proxies of the client, which no step could reach: BuildKit takes any spelling of
 * their names. Nor does a client say which policy decides.
 */
function withoutTaken(fields: readonly Field[], frontendAttrs: number): readonly Field[] {
  return fields.filter(({ number, content }) => {
    if (number !== frontendAttrs || content === undefined) return true;
    const [key] = entryOf(content);
    return key !== IMAGE_POLICY && !isProxyArgument(key);
  });
}

/**
 * Entries that have the frontend ask for each image, name the policy that decides on them, give
 * steps their proxy, and read no cache of the client. The last entry of a key counts; without the
 * first, the builder would use what it has under a name.
 *
 * @throws A3sError `unsupported-option`
 */
function resolving(
  fields: readonly Field[],
  frontend: number,
  frontendAttrs: number,
  { stepProxy, policy }: Given,
): readonly Buffer[] {
  const imports = mapOf(fields, frontendAttrs).get(CACHE_IMPORTS);
  return [
    ...(imports === undefined
      ? []
      : [mapEntry(frontendAttrs, CACHE_IMPORTS, checkedImports(imports))]),
    ...(textOf(fields, frontend) === ''
      ? []
      : [
          mapEntry(frontendAttrs, RESOLVE_MODE, PULL),
          mapEntry(frontendAttrs, IMAGE_POLICY, policy),
          ...Object.entries(proxyArguments(stepProxy)).map(([name, value]) =>
            mapEntry(frontendAttrs, ARGUMENT + name, value),
          ),
        ]),
  ];
}
