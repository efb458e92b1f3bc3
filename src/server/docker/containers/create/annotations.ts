/**
 * The annotations `dev.a3s.*` of a create document: what Docker's API, and so a Compose file, has
 * no field for. Each has the name and the meaning of a flag of `run`.
 *
 * @module
 */
import type * as z from 'zod';
import { parseBroker } from '../../../../box-options/broker.ts';
import { parseDeadline } from '../../../../box-options/deadline.ts';
import { parseHostNetworks } from '../../../../box-options/host-networks.ts';
import { parsePermissions } from '../../../../box-options/host-permission.ts';
import { parseSecretOptions } from '../../../../box-options/secret.ts';
import { Confidential } from '../../../../docker-api/a3s/confidential.ts';
import { EgressBody } from '../../../../docker-api/a3s/egress.ts';
import { A3sError } from '../../../../errors.ts';
import { parseRequest } from '../../../http/parse.ts';
import { readPublicKey } from './public-key.ts';
import { unsupported } from './unsupported-options.ts';

/** No other product reads annotations of this prefix. */
const PREFIX = 'dev.a3s.';
const SECRET = 'secret.';
const SEALER = 'sealer';

/** Without `PREFIX`: what each says, as a field of `Confidential`. */
const CONFIDENTIAL: Readonly<Record<string, (text: string) => object>> = {
  tee: (Tee) => ({ Tee }),
  'host-may': (text) => ({ HostMay: [...new Set(parsePermissions(text))].sort() }),
  broker: (text) => {
    const { host: Host, port: Port, tenant: Tenant, key: Key, tokens: Tokens } = parseBroker(text);
    return { Broker: { Host, Port, Tenant, Key, ...(Tokens === undefined ? {} : { Tokens }) } };
  },
  'host-networks': (text) => ({ HostNetworks: parseHostNetworks(text) }),
  'host-name': (text) => ({ HostNames: text.split(',') }),
  deployment: (Deployment) => ({ Deployment }),
  changes: (Changes) => ({ Changes }),
  'secrets-deadline': (text) => ({ SecretsDeadline: parseDeadline(text) }),
  sealing: (Sealing) => ({ Sealing }),
  boot: (BootSet) => ({ BootSet }),
};

/** The same of `Egress`. */
const EGRESS: Readonly<Record<string, (text: string) => object>> = {
  egress: (text) => ({ Rules: text.split(/\s+/).filter((rule) => rule !== '') }),
  'egress-default': (Default) => ({ Default }),
  'network-policy': (Policy) => ({ Policy }),
};

export interface Annotated {
  readonly confidential: z.output<typeof Confidential> | undefined;
  readonly egress: z.output<typeof EgressBody> | undefined;
}

/**
 * @throws A3sError `unsupported-option` for an unknown key, `invalid-argument` and `key-invalid`
 * for a value
 */
export async function readAnnotations(
  annotations: Readonly<Record<string, string>>,
): Promise<Annotated> {
  const confidential = new Map<string, unknown>();
  const egress = new Map<string, unknown>();
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.trim().toLowerCase().startsWith(PREFIX)) continue;
    // A note in its place would leave the box plain, or without what was asked for.
    if (!key.startsWith(PREFIX)) throw unknownKey(key);
    const name = key.slice(PREFIX.length);
    try {
      if (Object.hasOwn(EGRESS, name)) fill(egress, EGRESS[name]?.(value));
      else fill(confidential, await confidentialField(name, value));
    } catch (error) {
      throw error instanceof RangeError ? invalid(key, error.message) : error;
    }
  }
  if (confidential.size > 0 && !confidential.has('Tee')) {
    throw invalid(`${PREFIX}tee`, 'it is missing, and the others are of confidential boxes');
  }
  return {
    confidential: parsed(Confidential, confidential),
    egress: parsed(EgressBody, egress),
  };
}

/**
 * Refuses labels that are annotations in the wrong place: the box would be plain.
 *
 * @throws A3sError `invalid-argument`
 */
export function refuseLabels(
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): void {
  for (const key of Object.keys(labels)) {
    const folded = key.trim().toLowerCase();
    if (!folded.startsWith(PREFIX) || Object.hasOwn(annotations, folded)) continue;
    if (!isField(folded.slice(PREFIX.length))) continue;
    throw new A3sError(
      'invalid-argument',
      `the label ${key.slice(0, 96)} does nothing: it is an annotation`,
      { remedy: 'Use --annotation, or write it below "annotations" in a Compose file.' },
    );
  }
}

function isField(name: string): boolean {
  if (Object.hasOwn(EGRESS, name) || Object.hasOwn(CONFIDENTIAL, name)) return true;
  return name.startsWith(SECRET) || name === SEALER || name.startsWith(`${SEALER}.`);
}

async function confidentialField(name: string, value: string): Promise<object> {
  if (Object.hasOwn(CONFIDENTIAL, name)) return CONFIDENTIAL[name]?.(value) ?? {};
  if (name.startsWith(SECRET)) return { Secrets: [await secretOf(name, value)] };
  if (name === SEALER || name.startsWith(`${SEALER}.`)) {
    return { SealerKeys: [await readPublicKey(value)] };
  }
  throw unknownKey(`${PREFIX}${name}`);
}

function unknownKey(key: string): A3sError {
  return unsupported(
    'HostConfig.Annotations',
    `there is no annotation ${key.slice(0, 72)}: see docs/confidential/boxes.md for those that exist`,
  );
}

async function secretOf(name: string, value: string): Promise<object> {
  const secret = parseSecretOptions(name.slice(SECRET.length), value);
  // One after the other: each may be a file.
  const keys: string[] = [];
  for (const key of secret.keys) keys.push(await readPublicKey(key));
  return {
    Name: secret.name,
    InjectorKeys: keys,
    AllowAnyInjector: secret.allowAnyInjector,
    Resource: secret.resource,
    Refresh: secret.refresh,
    Env: secret.variable,
  };
}

/** Lists, which several keys give an entry each, grow. */
function fill(fields: Map<string, unknown>, given: object | undefined): void {
  for (const [field, value] of Object.entries(given ?? {})) {
    const before = fields.get(field);
    fields.set(
      field,
      Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value,
    );
  }
}

function parsed<T extends z.ZodType>(
  schema: T,
  fields: ReadonlyMap<string, unknown>,
): z.output<T> | undefined {
  if (fields.size === 0) return undefined;
  try {
    return parseRequest(schema, Object.fromEntries(fields));
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    throw new A3sError(error.code, `Annotations ${PREFIX}*: ${error.message}`, { cause: error });
  }
}

function invalid(key: string, why: string): A3sError {
  return new A3sError('invalid-argument', `invalid annotation ${key.slice(0, 96)}: ${why}`);
}
