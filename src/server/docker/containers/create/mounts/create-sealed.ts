/**
 * Sealed volumes of Docker's create document: words of a bind's mode, or options of a volume.
 *
 * @module
 */
import { brokerResource } from '@a3s-box/policies';
import type { SealedMount } from '../../../../../boxes/record/sealed-mount.ts';
import { A3sError } from '../../../../../errors.ts';
import { parseDriver } from '../../../volumes/driver.ts';

/** The kind of a sealed volume that is made for a mount without options. */
export const SEALED_KIND = parseDriver('', { type: 'sealed' });

/** Options of a long mount that are not the volume's but the box's. */
const OWN = ['policy', 'init', 'id', 'key', 'counter'];
/** Before the path of a key, as before that of a secret. */
const AT_BROKER = 'broker/';

/**
 * Takes the words of a sealed volume from a mode: `sealed`, then any of `init`, `id=ID`, `exact`,
 * `upgradable`, `key=broker/PATH`, `counter=PATH`.
 *
 * @returns the other words, and undefined where it is none
 * @throws A3sError `invalid-argument`
 */
export function sealedWords(mode: string): {
  readonly sealed: SealedMount | undefined;
  readonly rest: string;
} {
  const words = mode.split(',');
  if (!words.includes('sealed')) return { sealed: undefined, rest: mode };
  const own = words.filter((word) =>
    /^(sealed|init|exact|upgradable|(id|key|counter)=.*)$/.test(word),
  );
  const rest = words.filter((word) => !own.includes(word)).join(',');
  const policies = own.filter((word) => word === 'exact' || word === 'upgradable');
  const ids = own.filter((word) => word.startsWith('id='));
  const keys = own.filter((word) => word.startsWith('key='));
  const counters = own.filter((word) => word.startsWith('counter='));
  const lists = [policies, ids, keys, counters];
  if (new Set(own).size < own.length || lists.some(({ length }) => length > 1)) {
    throw new A3sError('invalid-argument', `invalid mode: ${mode.slice(0, 64)}`);
  }
  const id = ids[0]?.slice('id='.length);
  const key = keys[0]?.slice('key='.length);
  const counter = counters[0]?.slice('counter='.length);
  const init = own.includes('init');
  return { sealed: sealedMount({ policy: policies[0], init, id, key, counter }), rest };
}

/**
 * Takes the options of a sealed volume from those of a driver; all of the others are the volume's.
 *
 * @throws A3sError `invalid-argument`
 */
export function sealedOptions(options: Readonly<Record<string, string>>): {
  readonly sealed: SealedMount | undefined;
  readonly rest: Readonly<Record<string, string>>;
} {
  if (options['type'] !== 'sealed') return { sealed: undefined, rest: options };
  const { policy, init, id, key, counter } = options;
  const rest = Object.fromEntries(Object.entries(options).filter(([name]) => !OWN.includes(name)));
  if (policy !== undefined && policy !== 'exact' && policy !== 'upgradable') {
    throw invalid(`policy must be exact or upgradable, and not '${policy.slice(0, 64)}'`);
  }
  if (init !== undefined && init !== '' && init !== 'true') {
    throw invalid(`init is given without a value, and not '${init.slice(0, 64)}'`);
  }
  return { sealed: sealedMount({ policy, init: init !== undefined, id, key, counter }), rest };
}

interface Words {
  readonly policy: string | undefined;
  readonly init: boolean;
  readonly id: string | undefined;
  readonly key: string | undefined;
  readonly counter: string | undefined;
}

function sealedMount({ policy, init, id, key, counter }: Words): SealedMount {
  if (id !== undefined && !/^[0-9a-f]{32}$/.test(id)) {
    throw invalid(`an id has 32 digits of 0-9 and a-f, and not '${id.slice(0, 64)}'`);
  }
  if (init && id !== undefined) {
    throw invalid('init makes a volume with an id of its own: leave out init, or id');
  }
  if (counter !== undefined && !brokerResource.safeParse(counter).success) {
    throw invalid(`a counter is repository/type/tag, and not '${counter.slice(0, 64)}'`);
  }
  return {
    ...keyOf(policy, key),
    init,
    ...(id === undefined ? {} : { id }),
    ...(counter === undefined ? {} : { counter }),
  };
}

/** Who gets the key of the volume. */
function keyOf(
  policy: string | undefined,
  key: string | undefined,
): Pick<SealedMount, 'policy' | 'key'> {
  if (key === undefined) return { policy: policy === 'upgradable' ? 'upgradable' : 'exact' };
  if (policy !== undefined) {
    throw invalid(`the broker decides who gets its key: leave out ${policy}, or key`);
  }
  const path = key.startsWith(AT_BROKER) ? key.slice(AT_BROKER.length) : '';
  if (brokerResource.safeParse(path).success) return { policy: 'broker', key: path };
  throw invalid(`a key is broker/repository/type/tag, and not '${key.slice(0, 64)}'`);
}

function invalid(why: string): A3sError {
  return new A3sError('invalid-argument', `invalid sealed volume: ${why}`);
}
