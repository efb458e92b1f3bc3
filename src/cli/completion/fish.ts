/**
 * The completion script for fish.
 *
 * @module
 */
import type { Place } from './model.ts';

const DRIVER = `# The command so far: words that are no flags, of which a group has two.
function __a3s_box_path
    set -l words (commandline -opc | string match -v -- '-*')
    set -l path $words[2]
    if contains -- "$path" $__a3s_box_groups; and set -q words[3]
        set path "$path $words[3]"
    end
    echo $path
end

function __a3s_box_at
    contains -- (__a3s_box_path) $argv
end

function __a3s_box_names
    a3s-box __complete $argv 2>/dev/null
end
`;

export function fishScript(places: readonly Place[]): string {
  const groups = places
    .filter((place) => place.commands.length > 0)
    .flatMap(({ paths }) => paths)
    .filter((path) => path !== '');
  return [
    '# Completion of a3s-box for fish:',
    '#   a3s-box completion fish > ~/.config/fish/completions/a3s-box.fish',
    '',
    `set -g __a3s_box_groups ${groups.join(' ')}`,
    '',
    DRIVER,
    'complete -c a3s-box -f',
    ...places.flatMap(linesOf),
    '',
  ].join('\n');
}

function linesOf(place: Place): readonly string[] {
  const at = `complete -c a3s-box -n ${quoted(`__a3s_box_at ${place.paths.map((path) => `"${path}"`).join(' ')}`)}`;
  const kinds = [...new Set([...place.first, ...(place.passThrough ? [] : place.rest)])];
  const names = kinds.filter((kind) => kind !== 'files');
  return [
    ...place.commands.map(({ word, help }) => `${at} -f -a ${word} -d ${quoted(help)}`),
    ...place.flags.map(({ word, short, help, value }) => {
      const taking = { nothing: '', text: ' -x', file: ' -r -F' }[value];
      const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
      return `${at} -l ${word.slice(2)}${letter}${taking} -d ${quoted(help)}`;
    }),
    ...(names.length > 0 ? [`${at} -f -a ${quoted(`(__a3s_box_names ${names.join(' ')})`)}`] : []),
    ...(kinds.includes('files') ? [`${at} -F`] : []),
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
