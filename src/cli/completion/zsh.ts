/**
 * The completion script for zsh.
 *
 * @module
 */
import type { CompletedFlag, Place } from './model.ts';

const DRIVER = `
_a3s_box_names() {
  local -a names
  names=(\${(f)"$(a3s-box __complete "$@" 2>/dev/null)"})
  (( \${#names} )) && compadd -a names
}

_a3s_box() {
  local current=\${words[CURRENT]} word letters flag place='' expects='' only='' through=''
  local -i i operands=0
  local -a commands flags valued files kinds rest
  _a3s_box_place ''
  for (( i = 2; i < CURRENT; i++ )); do
    word=\${words[i]}
    if [[ -n $expects ]]; then
      expects=''
    elif [[ -z $only && $word == -- ]]; then
      only=1
    elif [[ -z $only && $word == --*=* ]]; then
      :
    elif [[ -z $only && $word == --* ]]; then
      (( \${valued[(Ie)$word]} )) && expects=$word
    elif [[ -z $only && $word == -?* ]]; then
      letters=\${word#-}
      while [[ -n $letters ]]; do
        flag=-\${letters[1]}
        letters=\${letters[2,-1]}
        (( \${valued[(Ie)$flag]} )) || continue
        [[ -z $letters ]] && expects=$flag
        break
      done
    elif (( \${#commands} )); then
      place=\${place:+$place }$word
      _a3s_box_place $place || return 1
    else
      operands+=1
      [[ -n $through ]] && only=1
    fi
  done
  if [[ -z $expects && -z $only && $current == --*=* ]]; then
    expects=\${current%%=*}
    compset -P '*='
  fi
  if [[ -n $expects ]]; then
    (( \${files[(Ie)$expects]} )) && _files
    return
  fi
  if [[ -z $only && $current == -* ]]; then
    _describe -o 'option' flags
  elif (( \${#commands} )); then
    _describe 'command' commands
  else
    (( operands > 0 )) && kinds=($rest)
    (( \${kinds[(Ie)files]} )) && _files
    kinds=(\${kinds:#files})
    (( \${#kinds} )) && _a3s_box_names $kinds
  fi
}

# Sourced, it announces itself; as a file of $fpath, it is the function.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _a3s_box "$@"
else
  compdef _a3s_box a3s-box
fi
`;

export function zshScript(places: readonly Place[]): string {
  return [
    '#compdef a3s-box',
    '# Completion of a3s-box for zsh:',
    '#   a3s-box completion zsh > "$fpath[1]/_a3s-box"',
    '',
    '_a3s_box_place() {',
    "  commands=() flags=() valued=() files=() kinds=() rest=() through=''",
    '  case $1 in',
    ...places.map(branch),
    '    (*) return 1 ;;',
    '  esac',
    '}',
    DRIVER,
  ].join('\n');
}

function branch(place: Place): string {
  const taking = place.flags.filter(({ value }) => value !== 'nothing');
  const described = (word: string, help: string): string =>
    quoted(`${word.replaceAll(':', '\\:')}:${help}`);
  const facts = {
    commands: place.commands.map(({ word, help }) => described(word, help)),
    flags: place.flags.flatMap((flag) => spellings(flag).map((one) => described(one, flag.help))),
    valued: taking.flatMap(spellings),
    files: taking.filter(({ value }) => value === 'file').flatMap(spellings),
    kinds: place.first,
    rest: place.passThrough ? [] : place.rest,
  };
  const lines = Object.entries(facts)
    .filter(([, words]) => words.length > 0)
    .map(([name, words]) => `      ${name}=(${words.join(' ')})`);
  const patterns = place.paths.map(quoted).join('|');
  return [
    `    (${patterns})`,
    ...lines,
    ...(place.passThrough ? ['      through=1'] : []),
    '      ;;',
  ].join('\n');
}

function spellings({ word, short }: CompletedFlag): readonly string[] {
  return short === undefined ? [word] : [word, short];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
