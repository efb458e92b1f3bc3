/**
 * The arguments of `ps`, as far as they are supported: which columns are shown. All processes of
 * the box are shown, whatever the arguments select.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { PS_COLUMNS, type PsColumn } from './columns.ts';

/** The columns of `-f`, which is Docker's default. */
const FULL = 'uid pid ppid c stime tname time cmd';
const USER = 'user pid pcpu pmem vsz rss tname stat start_time bsdtime command';
const SHORT = 'pid tname time ucmd';
const BSD = 'pid tname stat bsdtime command';

const MOST_COLUMNS = 64;
const MOST_TEXT = 4096;
/** The limit of an argument in messages. */
const SHOWN = 64;

/**
 * @throws A3sError `invalid-argument` for arguments that `ps` would refuse as well, and where no
 * column is the process id
 */
export function parsePsArguments(text: string): PsColumn[] {
  if (text.length > MOST_TEXT) throw refused('it is too long');
  const words = text.split(/\s+/).filter((word) => word !== '');
  const asked = new Asked(words.length === 0 ? ['-ef'] : words);
  const columns = asked.columns();
  if (!columns.some(({ title }) => title === 'PID')) {
    throw new A3sError('invalid-argument', "Couldn't find PID field in ps output", {
      remedy: 'Name pid among the columns.',
    });
  }
  return columns;
}

class Asked {
  readonly #words: string[];
  readonly #given: PsColumn[] = [];
  #full = false;
  #user = false;
  #bsd = false;

  constructor(words: readonly string[]) {
    this.#words = [...words];
    for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift()) {
      if (word.startsWith('--')) this.#long(word);
      else if (word.startsWith('-')) this.#unix(word.slice(1));
      else this.#letters(word);
    }
  }

  columns(): PsColumn[] {
    if (this.#given.length > 0) return this.#given;
    if (this.#user) return named(USER);
    if (this.#full) return fullColumns();
    return named(this.#bsd ? BSD : SHORT);
  }

  #long(word: string): void {
    const [name, value] = [word.replace(/=.*$/s, ''), /=(.*)$/s.exec(word)?.[1]];
    if (name !== '--format') throw refused(`unknown gnu long option ${quoted(word)}`);
    this.#take(value ?? this.#words.shift());
  }

  #unix(letters: string): void {
    if (letters === '') throw refused('a - with nothing behind it');
    for (const [index, letter] of [...letters].entries()) {
      if (letter === 'o') {
        this.#take(letters.slice(index + 1) || this.#words.shift());
        return;
      }
      if (letter === 'f') this.#full = true;
      // Options of which processes and of how wide: all are shown, in full.
      else if (!'eAadw'.includes(letter)) {
        throw refused(`unsupported option ${quoted(`-${letter}`)}`);
      }
    }
  }

  #letters(letters: string): void {
    this.#bsd = true;
    for (const [index, letter] of [...letters].entries()) {
      if (letter === 'o') {
        this.#take(letters.slice(index + 1) || this.#words.shift());
        return;
      }
      if (letter === 'u') this.#user = true;
      else if (!'axw'.includes(letter)) throw refused(`unsupported option ${quoted(letter)}`);
    }
  }

  #take(list: string | undefined): void {
    if (list === undefined || list === '') throw refused('format specification must follow -o');
    this.#given.push(...formatOf(list));
    if (this.#given.length > MOST_COLUMNS) throw refused(`more than ${MOST_COLUMNS} columns`);
  }
}

/** The UID column of the full form shows names. */
function fullColumns(): PsColumn[] {
  const [user] = named('user');
  return named(FULL).map((each) =>
    each.title === 'UID' && user !== undefined ? { title: 'UID', show: user.show } : each,
  );
}

/** `pid,comm`, `pid comm`. The last one may have its own title: `pid,comm=WHAT`. */
function formatOf(list: string): PsColumn[] {
  const [names = '', ...rest] = list.split('=');
  const columns = names.split(/[,\s]+/).map((name) => columnOf(name));
  const last = columns.pop();
  if (rest.length === 0 || last === undefined) return last === undefined ? [] : [...columns, last];
  const title = rest.join('=');
  if (title === 'PID' && last.title !== 'PID') {
    throw new A3sError(
      'invalid-argument',
      `specifying ${quoted(list)} is not allowed: PID is the title of the process id alone`,
    );
  }
  return [...columns, { ...last, title }];
}

function named(names: string): PsColumn[] {
  return names.split(' ').map(columnOf);
}

function columnOf(name: string): PsColumn {
  const found = PS_COLUMNS.get(name);
  if (found !== undefined) return found;
  throw refused(`unknown user-defined format specifier ${quoted(name)}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN));
}

function refused(why: string): A3sError {
  return new A3sError('invalid-argument', `ps: error: ${why}`, {
    remedy: `Use -ef, aux, or -o with columns of ${[...PS_COLUMNS.keys()].join(', ')}.`,
  });
}
