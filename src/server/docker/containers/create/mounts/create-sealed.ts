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
const OWN = ['policy', 'init', 'id', 'counter'];

/**
 * Takes the words of a sealed volume from a mode: `sealed`, then any of `init`, `id=ID`, `exact`,
 * `upgradable`, `counter=PATH`.
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
  const own = words.filter((word) => /^(sealed|init|exact|upgradable|(id|counter)=.*)$/.test(word));
  const rest = words.filter((word) => !own.includes(word)).join(',');
  const policies = own.filter((word) => word === 'exact' || word === 'upgradable');
  const ids = own.filter((word) => word.startsWith('id='));
  const counters = own.filter((word) => word.startsWith('counter='));
  const lists = [policies, ids, counters];
  if (new Set(own).size < own.length || lists.some(({ length }) => length > 1)) {
    throw new A3sError('invalid-argument', `invalid mode: ${mode.slice(0, 64)}`);
  }
  const id = ids[0]?.slice('id='.length);
  const counter = counters[0]?.slice('counter='.length);
  return { sealed: sealedMount(policies[0], own.includes('init'), id, counter), rest };
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
  const { policy, init, id, counter } = options;
  const rest = Object.fromEntries(Object.entries(options).filter(([name]) => !OWN.includes(name)));
  if (policy !== undefined && policy !== 'exact' && policy !== 'upgradable') {
    throw invalid(`policy must be exact or upgradable, and not '${policy.slice(0, 64)}'`);
  }
  if (init !== undefined && init !== '' && init !== 'true') {
    throw invalid(`init is given without a value, and not '${init.slice(0, 64)}'`);
  }
  return { sealed: sealedMount(policy, init !== undefined, id, counter), rest };
}

function sealedMount(
  policy: string | undefined,
  init: boolean,
  id: string | undefined,
  counter: string | undefined,
): SealedMount {
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
    policy: policy === 'upgradable' ? 'upgradable' : 'exact',
    init,
    ...(id === undefined ? {} : { id }),
    ...(counter === undefined ? {} : { counter }),
  };
}

function invalid(why: string): A3sError {
  return new A3sError('invalid-argument', `invalid sealed volume: ${why}`);
}
