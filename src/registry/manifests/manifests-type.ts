/**
 * What kind of document a manifest is: its `Content-Type` and the document itself have to agree,
 * for one that can be read both as an image and as an index means different things to different
 * tools (CVE-2021-41190).
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { INDEX_TYPES, MANIFEST_TYPES, SCHEMA_1_TYPES } from '../../oci/media-types.ts';
import { broken, quoted } from '../exchange/repository-context.ts';

/** Content types of plain file servers. */
const GENERIC = ['', 'application/json', 'application/octet-stream', 'text/plain'];

/** All types that we can use. A registry with another type says so, or is refused. */
export const ACCEPTED_TYPES = [...MANIFEST_TYPES, ...INDEX_TYPES];

const Head = z.looseObject({
  schemaVersion: z.unknown().optional(),
  mediaType: z.string().max(255).optional(),
  config: z.unknown().optional(),
  layers: z.unknown().optional(),
  manifests: z.unknown().optional(),
});

/**
 * The media type of a manifest. @param contentType the header's value, where there is one
 *
 * @throws A3sError `invalid-image` for Docker's schema 1, `registry-failed` for anything that is
 * not one kind of manifest
 */
export function manifestType(bytes: Buffer, contentType: string | undefined, what: string): string {
  const said = bareType(contentType);
  if (SCHEMA_1_TYPES.includes(said)) throw schema1(what);
  const head = readHead(bytes, what);
  if (head.schemaVersion === 1) throw schema1(what);
  const type = GENERIC.includes(said) ? head.mediaType : said;
  if (type === undefined) throw broken(what, 'neither its Content-Type nor itself says what it is');
  if (!ACCEPTED_TYPES.includes(type)) {
    throw broken(what, `${quoted(type)} is neither a manifest nor an index of images`);
  }
  if (head.mediaType !== undefined && head.mediaType !== type) {
    throw broken(
      what,
      `it is sent as ${quoted(type)} and says that it is ${quoted(head.mediaType)}`,
    );
  }
  const isIndex = INDEX_TYPES.includes(type);
  const foreign = isIndex ? [head.config, head.layers] : [head.manifests];
  if (foreign.some((field) => field !== undefined)) {
    throw broken(what, 'it can be read both as an image and as an index');
  }
  return type;
}

/** `Content-Type` without its parameters. */
export function bareType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1).join('').trim().toLowerCase();
}

function readHead(bytes: Buffer, what: string): z.infer<typeof Head> {
  try {
    return Head.parse(parseJson(bytes));
  } catch (cause) {
    throw broken(what, 'it is not the JSON document of a manifest', cause);
  }
}

/** @throws SyntaxError or TypeError when the bytes are not JSON in UTF-8 */
export function parseJson(bytes: Buffer): unknown {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
}

function schema1(what: string): A3sError {
  return new A3sError(
    'invalid-image',
    `Cannot use ${what}: it is a manifest of Docker's schema 1, which has no trustworthy digests`,
    { remedy: 'Push the image again with a current tool, which writes schema 2 or OCI.' },
  );
}
