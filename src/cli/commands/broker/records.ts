/**
 * The commands of what a secret broker keeps: secrets, policies and grants.
 *
 * @module
 */
import { MAX_POLICY_DOCUMENT } from '@a3s-box/policies/max-policy-document';
import { segment } from '../../client/client.ts';
import { objectOf, objectsOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { readInput } from '../../files/input-file.ts';
import { bool, byName, int, string } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import { loadLibrary, refusing } from '../attest/load-library.ts';
import { BROKER_FLAGS, brokerClient, type CallBroker, TENANT_FLAG } from './broker-client.ts';

/** A byte more than the broker takes: it says how many that is. */
const MAX_SECRET = 64 * 1024 + 1;

type Verb = (call: CallBroker, base: string, invocation: Invocation) => Promise<string>;
type Verbs = Readonly<Record<string, { readonly operand: boolean; readonly run: Verb }>>;

const SECRET_VERBS: Verbs = {
  ls: { operand: false, run: list('secrets') },
  put: {
    operand: true,
    run: async (call, base, { context, operands: [, path = ''] }) => {
      const body = await readInput(context, '-', MAX_SECRET, '');
      return versionOf(await call({ method: 'PUT', path: secretPath(base, path), body }));
    },
  },
  rm: {
    operand: true,
    run: async (call, base, { operands: [, path = ''] }) => {
      await call({ method: 'DELETE', path: secretPath(base, path) });
      return `${path}\n`;
    },
  },
  rotate: {
    operand: true,
    run: async (call, base, { flags, operands: [, path = ''] }) => {
      const query = `?bytes=${flags.int('bytes') ?? 32}`;
      const url = `${secretPath(base, path)}/rotate${query}`;
      return versionOf(await call({ method: 'POST', path: url }));
    },
  },
};

const VOLUME_KEY_VERBS: Verbs = {
  ls: { operand: false, run: list('volume-keys') },
  create: {
    operand: true,
    run: async (call, base, { operands: [, path = ''] }) => {
      await call({ method: 'POST', path: recordPath(base, 'volume-keys', path) });
      return `${path}\n`;
    },
  },
  rm: {
    operand: true,
    run: async (call, base, { flags, operands: [, path = ''] }) => {
      const query = flags.bool('discard-data') ? '?discard=true' : '';
      await call({ method: 'DELETE', path: recordPath(base, 'volume-keys', path) + query });
      return `${path}\n`;
    },
  },
};

const POLICY_VERBS: Verbs = {
  ...documentVerbs('policies'),
  put: {
    operand: true,
    run: async (call, base, { context, flags, operands: [, name = ''] }) => {
      const library = await loadLibrary();
      const file = flags.needed('file', String);
      const text = await readInput(context, file, MAX_POLICY_DOCUMENT, '--file');
      const document = refusing(library, file, () => library.readPolicyDocument(text));
      const body = Buffer.from(JSON.stringify(document));
      const path = `${base}/policies/${segment(name)}`;
      return versionOf(await call({ method: 'PUT', path, body }));
    },
  },
};

const GRANT_VERBS: Verbs = {
  ...documentVerbs('grants'),
  put: {
    operand: true,
    run: async (call, base, { flags, operands: [, name = ''] }) => {
      const counter = flags.bool('counter') ? { counter: true } : {};
      const grant = {
        path: flags.needed('path', String),
        policy: flags.needed('policy', String),
        ...counter,
      };
      const body = Buffer.from(JSON.stringify(grant));
      const path = `${base}/grants/${segment(name)}`;
      return versionOf(await call({ method: 'PUT', path, body }));
    },
  },
};

const COUNTER_VERBS: Verbs = {
  ls: { operand: false, run: list('counters') },
  set: {
    operand: true,
    run: async (call, base, { flags, operands: [, path = ''] }) => {
      const counter = {
        volume: flags.needed('volume', String),
        generation: flags.needed('generation', generationOf),
      };
      const body = Buffer.from(JSON.stringify(counter));
      const url = recordPath(base, 'counters', path);
      return versionOf(await call({ method: 'PUT', path: url, body }));
    },
  },
  rm: {
    operand: true,
    run: async (call, base, { operands: [, path = ''] }) => {
      await call({ method: 'DELETE', path: recordPath(base, 'counters', path) });
      return `${path}\n`;
    },
  },
};

export const brokerSecret: Command = {
  usage: 'ls | put PATH <VALUE | rotate PATH | rm PATH  [OPTIONS]',
  description:
    'Manage the secrets of a secret broker. PATH is repository/type/tag. put stores standard input,\n' +
    'up to 64 KiB, as the next version; rotate has the broker make a random one. The broker gives\n' +
    'no value back: guests alone get it',
  flags: byName([
    ...BROKER_FLAGS,
    TENANT_FLAG,
    int('bytes', 'Length of the random value of rotate (default 32)'),
  ]),
  operands: { min: 1, max: 2 },
  run: (invocation) => runVerb(invocation, SECRET_VERBS),
};

export const brokerVolumeKey: Command = {
  usage: 'ls | create PATH | rm PATH --discard-data  [OPTIONS]',
  description:
    'Manage the keys of sealed volumes, which guests that a grant accepts get. create has the broker\n' +
    'make a random one, which nothing overwrites: without it what is on its volumes is lost',
  flags: byName([
    ...BROKER_FLAGS,
    TENANT_FLAG,
    bool('discard-data', 'What is on the volumes of the key may be lost'),
  ]),
  operands: { min: 1, max: 2 },
  run: (invocation) => runVerb(invocation, VOLUME_KEY_VERBS),
};

export const brokerPolicy: Command = {
  usage: 'ls | put NAME --file FILE | rm NAME  [OPTIONS]',
  description:
    'Manage the policies of a secret broker: which guests it trusts. FILE is YAML with allowSimulated\n' +
    'and attestation, an attestation policy',
  flags: byName([
    ...BROKER_FLAGS,
    TENANT_FLAG,
    string('file', 'Policy, YAML or JSON', { value: 'file' }),
  ]),
  operands: { min: 1, max: 2 },
  run: (invocation) => runVerb(invocation, POLICY_VERBS),
};

export const brokerGrant: Command = {
  usage: 'ls | put NAME --path PATTERN --policy NAME [--counter] | rm NAME  [OPTIONS]',
  description:
    'Manage the grants of a secret broker: which policy lets guests have which resources. PATTERN is\n' +
    'repository/type/tag, where * stands for a whole part',
  flags: byName([
    ...BROKER_FLAGS,
    TENANT_FLAG,
    string('path', 'Pattern of the resources', { value: 'pattern' }),
    string('policy', 'Name of the policy', { value: 'name' }),
    bool('counter', 'It is for counters of sealed volumes, and for no secret'),
  ]),
  operands: { min: 1, max: 2 },
  run: (invocation) => runVerb(invocation, GRANT_VERBS),
};

export const brokerCounter: Command = {
  usage: 'ls | set PATH --volume ID --generation NUMBER | rm PATH  [OPTIONS]',
  description:
    'Manage the counters of sealed volumes, by which guests notice an older disk. Guests make and\n' +
    'advance them. After the loss of a volume rm permits to make another one; after that of the\n' +
    "broker's store set says which volume there is, and its generation",
  flags: byName([
    ...BROKER_FLAGS,
    TENANT_FLAG,
    string('volume', 'Id of the volume', { value: 'id' }),
    string('generation', 'Generation that the volume has', { value: 'number' }),
  ]),
  operands: { min: 1, max: 2 },
  run: (invocation) => runVerb(invocation, COUNTER_VERBS),
};

async function runVerb(invocation: Invocation, verbs: Verbs): Promise<number> {
  const { context, flags, operands } = invocation;
  const [name = ''] = operands;
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb === undefined) {
    const known = Object.keys(verbs).join(', ');
    throw new UsageError(`unknown command: ${name}: there are ${known}`, { status: 1 });
  }
  if (verb.operand !== operands.length > 1) {
    const needs = verb.operand ? 'needs one more argument' : 'takes no argument';
    throw new UsageError(`${name} ${needs}`, { status: 1 });
  }
  const call = await brokerClient(invocation);
  const base = `/v1/tenants/${segment(flags.string('tenant') ?? 'default')}`;
  context.stdout.write(await verb.run(call, base, invocation));
  return 0;
}

function documentVerbs(plural: 'policies' | 'grants'): Verbs {
  return {
    ls: { operand: false, run: list(plural) },
    rm: {
      operand: true,
      run: async (call, base, { operands: [, name = ''] }) => {
        await call({ method: 'DELETE', path: `${base}/${plural}/${segment(name)}` });
        return `${name}\n`;
      },
    },
  };
}

function list(plural: 'secrets' | 'volume-keys' | 'policies' | 'grants' | 'counters'): Verb {
  return async (call, base) => {
    const answer = objectOf<Record<string, unknown[]>>(
      await call({ method: 'GET', path: `${base}/${plural}` }),
    );
    return jsonText(objectsOf(answer[plural]));
  };
}

function secretPath(base: string, path: string): string {
  return recordPath(base, 'secrets', path);
}

/** @throws RangeError */
function generationOf(text: string): number {
  const generation = /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(generation)) return generation;
  throw new RangeError('it takes a number from 1 on');
}

function recordPath(
  base: string,
  plural: 'secrets' | 'volume-keys' | 'counters',
  path: string,
): string {
  const parts = path.split('/');
  if (parts.length !== 3) {
    throw new UsageError(`invalid path ${path}: it is repository/type/tag`, { status: 1 });
  }
  return `${base}/${plural}/${parts.map(segment).join('/')}`;
}

function versionOf(answer: unknown): string {
  return `version ${String(objectOf<{ version: number }>(answer).version)}\n`;
}
