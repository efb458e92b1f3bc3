/**
 * The predicates that cosign has a short name for, and what each of them must have.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

export interface PredicateType {
  readonly uri: string;
  /** JSON stands in the statement as it is; text as a string; `custom` wraps text with the time. */
  readonly form: 'json' | 'text' | 'custom';
  /** Required members, without which no reader can use the predicate. */
  readonly required: readonly string[];
}

const json = (uri: string, ...required: readonly string[]): PredicateType => ({
  ...{ uri, required },
  form: 'json',
});

const SLSA_02 = json('https://slsa.dev/provenance/v0.2', 'builder', 'buildType');

const TYPES: Readonly<Record<string, PredicateType>> = {
  custom: { uri: 'https://cosign.sigstore.dev/attestation/v1', form: 'custom', required: [] },
  slsaprovenance: SLSA_02,
  slsaprovenance02: SLSA_02,
  slsaprovenance1: json('https://slsa.dev/provenance/v1', 'buildDefinition', 'runDetails'),
  spdx: { uri: 'https://spdx.dev/Document', form: 'text', required: [] },
  spdxjson: json('https://spdx.dev/Document'),
  cyclonedx: json('https://cyclonedx.org/bom'),
  link: json(
    'https://in-toto.io/Link/v1',
    ...['_type', 'name', 'materials', 'products', 'byproducts', 'command', 'environment'],
  ),
  vuln: json(
    'https://cosign.sigstore.dev/attestation/vuln/v1',
    ...['invocation', 'scanner', 'metadata'],
  ),
  openvex: json('https://openvex.dev/ns'),
};

export const PREDICATE_NAMES: readonly string[] = Object.keys(TYPES);
const MAX_URI = 4096;

/** Resolves one of cosign's short names, or any URI. @throws A3sError `invalid-argument` */
export function predicateType(text: string): PredicateType {
  const known = Object.hasOwn(TYPES, text) ? TYPES[text] : undefined;
  if (known !== undefined) return known;
  if (text.length <= MAX_URI && isUri(text)) return json(text);
  throw new A3sError(
    'invalid-argument',
    `Cannot use ${JSON.stringify(text.slice(0, 200))} as the type of a predicate: it is no URI`,
    { remedy: `Name a URI, or one of ${PREDICATE_NAMES.join(', ')}.` },
  );
}

function isUri(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(text) && URL.canParse(text);
}
