/**
 * The completion script for bash, 4.4 or later. It needs no other package.
 *
 * @module
 */
import type { Place } from './model.ts';

const DRIVER = `
_a3s_box() {
  COMPREPLY=()
  local line=\${COMP_LINE:0:COMP_POINT} word flag path='' expects='' only='' i first=-1
  local -a words
  local -i operands=0
  local commands flags valued files kinds rest through
  read -r -a words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  local current=\${words[-1]}
  _a3s_box_place ''
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word=\${words[i]}
    if [[ -n $expects ]]; then
      expects=''
    elif [[ -z $only && $word == -- ]]; then
      only=1
    elif [[ -z $only && $word == --*=* ]]; then
      :
    elif [[ -z $only && $word == --* ]]; then
      [[ " $valued " == *" $word "* ]] && expects=$word
    elif [[ -z $only && $word == -?* ]]; then
      while word=\${word:1} && [[ -n $word ]]; do
        flag=-\${word:0:1}
        [[ " $valued " == *" $flag "* ]] || continue
        [[ \${#word} == 1 ]] && expects=$flag
        break
      done
    elif [[ -n $commands ]]; then
      path=\${path:+$path }$word
      _a3s_box_place "$path" || return 0
    else
      operands+=1
      [[ -n $through ]] && only=1
    fi
  done
  if [[ -z $expects && -z $only && $current == --*=* ]]; then
    expects=\${current%%=*}
    current=\${current#*=}
  fi
  if [[ -n $expects ]]; then
    [[ " $files " == *" $expects "* ]] && _a3s_box_files "$current"
    return 0
  fi
  if [[ -z $only && $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ -n $commands ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
  else
    ((operands > 0)) && kinds=$rest
    [[ " $kinds " == *' files '* ]] && _a3s_box_files "$current"
    kinds=\${kinds/files/}
    [[ -n \${kinds// /} ]] &&
      COMPREPLY+=($(compgen -W "$(a3s-box __complete $kinds 2>/dev/null)" -- "$current"))
  fi
  # Readline replaces what stands behind the last colon or equals sign alone.
  if [[ $current == *[:=]* ]]; then
    local head=\${current%"\${current##*[:=]}"}
    COMPREPLY=("\${COMPREPLY[@]#"$head"}")
  fi
}

_a3s_box_files() {
  compopt -o filenames 2>/dev/null
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$1"))
}

complete -F _a3s_box a3s-box
`;

export function bashScript(places: readonly Place[]): string {
  return [
    '# Completion of a3s-box for bash:',
    '#   source <(a3s-box completion bash)',
    '',
    '_a3s_box_place() {',
    "  commands='' flags='' valued='' files='' kinds='' rest='' through=''",
    '  case $1 in',
    ...places.map(branch),
    '    *) return 1 ;;',
    '  esac',
    '}',
    DRIVER,
  ].join('\n');
}

function branch(place: Place): string {
  const taking = place.flags.filter(({ value }) => value !== 'nothing');
  const facts = {
    commands: place.commands.map(({ word }) => word),
    flags: place.flags.map(({ word }) => word),
    valued: taking.flatMap(spellings),
    files: taking.filter(({ value }) => value === 'file').flatMap(spellings),
    kinds: place.first,
    rest: place.passThrough ? [] : place.rest,
    through: place.passThrough ? ['1'] : [],
  };
  const lines = Object.entries(facts)
    .filter(([, words]) => words.length > 0)
    .map(([name, words]) => `      ${name}='${words.join(' ')}'`);
  const patterns = place.paths.map((path) => `'${path}'`).join(' | ');
  return [`    ${patterns})`, ...lines, '      ;;'].join('\n');
}

function spellings({ word, short }: Place['flags'][number]): readonly string[] {
  return short === undefined ? [word] : [word, short];
}
