/**
 * Names of boxes: those that users choose, and those that are made up.
 *
 * @module
 */
import { randomInt } from 'node:crypto';
import { A3sError } from '../../errors.ts';

const QUALITIES =
  'agile amber autumn bold brave brisk calm candid clear clever cosmic crisp daring dawn deep eager early fair fast fond frank fresh gentle glad golden grand happy hardy honest humble keen kind lively loyal lucid lunar merry mild misty modest neat noble patient placid plain polite proud quick quiet rapid ready rustic serene sharp silent silver sincere sleek smooth snowy solar solid steady still stout sturdy sunny swift tidy tranquil trusty upbeat vivid warm wise witty'.split(
    ' ',
  );

const THINGS =
  'anchor anvil arch atlas badger basin beacon beaver birch bobbin bridge brook canyon cedar cliff clover comet compass coral crane creek delta dune eagle ember falcon fern fjord forge garnet geyser glacier granite grove harbor hawk hazel heron island jasper kestrel kiln lagoon lantern larch lark ledge lichen loom lynx maple marsh meadow mesa mill moss oak orchard osprey otter pebble pier pine plateau plover prairie quarry quartz quay raven reef ridge river robin rudder sable sail sparrow spire spruce summit thistle tide timber topaz tower tundra valley walnut willow wren'.split(
    ' ',
  );

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const MAX_NAME = 253;

/** @throws A3sError `invalid-argument`, in Docker's words */
export function checkName(input: string): string {
  const name = input.replace(/^\//, '');
  if (name.length > MAX_NAME || !NAME.test(name)) {
    throw new A3sError(
      'invalid-argument',
      `Invalid container name (${input.slice(0, MAX_NAME)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  }
  return name;
}

/**
 * A name such as `steady_harbor` that is not `taken`. After several attempts a number is appended.
 */
export function inventName(taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt += 1) {
    const name = `${pick(QUALITIES)}_${pick(THINGS)}${attempt < 6 ? '' : randomInt(attempt * 10)}`;
    if (!taken(name)) return name;
  }
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? 'plain';
}
