/**
 * The tree of commands for completion: the words that can follow at each place.
 *
 * @module
 */
import type { Command as Parser } from 'commander';
import type { NameKind } from './names.ts';

/** The shell lists files itself. */
export type Kind = NameKind | 'files';

export interface Word {
  readonly word: string;
  readonly help: string;
}

export interface CompletedFlag extends Word {
  /** The flag with its dashes. */
  readonly short: string | undefined;
  /** The kind of its value. */
  readonly value: 'nothing' | 'text' | 'file';
}

/** A place in the tree; commands that are the same under several names are one place. */
export interface Place {
  /** The command's path, such as `run`, `container run`; empty for the program itself. */
  readonly paths: readonly string[];
  /** Or the words, one of which has to follow. */
  readonly commands: readonly Word[];
  readonly flags: readonly CompletedFlag[];
  /** The kind of the first operand, and that of the others. */
  readonly first: readonly Kind[];
  readonly rest: readonly Kind[];
  /** Nothing is completed after the first operand: the rest is for the program in the box. */
  readonly passThrough: boolean;
}

/** Every place. Places that are alike are merged. */
export function places(root: Parser): readonly Place[] {
  const found = new Map<string, Place>();
  for (const place of [placeOf(root, ['']), ...root.commands.flatMap((one) => below(one))]) {
    const { paths, ...content } = place;
    const key = JSON.stringify(content);
    const before = found.get(key);
    found.set(key, { ...place, paths: [...(before?.paths ?? []), ...paths] });
  }
  return [...found.values()];
}

function below(command: Parser): readonly Place[] {
  const name = command.name();
  const verbs = command.commands.map((verb) =>
    placeOf(
      verb,
      [verb.name(), ...verb.aliases()].map((word) => `${name} ${word}`),
    ),
  );
  return [placeOf(command, [name]), ...verbs];
}

function placeOf(command: Parser, paths: readonly string[]): Place {
  const operands = operandsOf(command.usage());
  const kinds = operands.map((operand) => kindsOf(operand, command.name()));
  return {
    paths,
    commands: [
      ...command.commands.map((one) => ({ word: one.name(), help: one.summary() })),
      ...choices(operands[0] ?? '').map((word) => ({ word, help: word })),
    ],
    flags: command.options.filter(({ hidden }) => !hidden).map(flagOf),
    first: kinds[0] ?? [],
    rest: operands.some((operand) => operand.endsWith('...'))
      ? (kinds.at(-1) ?? [])
      : (kinds[1] ?? []),
    passThrough: operands.includes('ARG...') || operands.includes('ps OPTIONS'),
  };
}

function flagOf(option: Parser['options'][number]): CompletedFlag {
  const value = /<(.+)>$/.exec(option.flags)?.[1];
  return {
    word: option.long ?? '',
    short: option.short,
    help: option.description,
    value: value === undefined ? 'nothing' : /file|dir/.test(value) ? 'file' : 'text',
  };
}

/** `[OPTIONS] BOX [BOX...]` → `BOX`, `BOX...`; a flag's value is not an operand. */
function operandsOf(usage: string): readonly string[] {
  const [first = ''] = usage.split(' | ');
  const words = first.replace('[OPTIONS]', '').replaceAll(/--[\w-]+(?: [A-Z]+)?/g, '');
  return [...words.matchAll(/\[(ps OPTIONS|[^\]]+(?:\[[^\]]*\])?)\]|(\S+)/g)].map(
    ([, optional, needed]) => optional ?? needed ?? '',
  );
}

/** `bash|zsh|fish` → each of them. */
function choices(operand: string): readonly string[] {
  return /^[a-z]+(\|[a-z]+)+$/.test(operand) ? operand.split('|') : [];
}

/** Commands that apply only to boxes in some state. */
const STATES: Readonly<Record<string, NameKind>> = {
  ...Object.fromEntries(
    ['attach', 'exec', 'kill', 'pause', 'shell', 'stats', 'stop', 'top'].map((name) => [
      name,
      'running',
    ]),
  ),
  start: 'stopped',
  unpause: 'paused',
};

function kindsOf(operand: string, command: string): readonly Kind[] {
  const noun = operand.replace(/\.\.\.$/, '').replace(/\[.*$/, '');
  if (/^file\b/i.test(noun)) return ['files'];
  if (noun === 'NAME' && command === 'push') return ['images'];
  if (noun === 'BOX' || noun.endsWith('|BOX')) return [STATES[command] ?? 'boxes'];
  if (noun === 'NAME|ID') return ['boxes', 'images', 'networks', 'volumes'];
  if (/^(SOURCE_|TARGET_)?IMAGE$/.test(noun)) return ['images'];
  if (noun === 'POOL') return ['pools'];
  if (noun === 'SNAPSHOT') return ['snapshots'];
  // What is made has a new name.
  if (noun === 'NETWORK' && command !== 'create') return ['networks'];
  if (noun === 'VOLUME' && command !== 'create') return ['volumes'];
  return noun === 'TEMPLATE' ? ['templates'] : [];
}
