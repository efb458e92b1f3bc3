/**
 * Reads declarations of libkrun's API: from our list of facts, and from its header.
 *
 * @module
 */

/** `name` and type of each argument, and of the result. */
export interface Declaration {
  readonly returns: string;
  readonly arguments: readonly { readonly name: string; readonly type: string }[];
}

export interface Facts {
  readonly functions: ReadonlyMap<string, Declaration & { readonly since: string }>;
  readonly constants: ReadonlyMap<string, number | string>;
}

/** @throws Error at a line that is neither a fact nor a comment */
export function parseFacts(text: string): Facts {
  const functions = new Map<string, Declaration & { readonly since: string }>();
  const constants = new Map<string, number | string>();
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const [kind, since = '', first = '', second = '', ...rest] = line.split(' ');
    if (kind === 'function') {
      functions.set(second, { since, returns: first, arguments: rest.map(parseArgument) });
    } else if (kind === 'constant') {
      constants.set(first, parseValue(second));
    } else {
      throw new Error(`not a fact: ${line}`);
    }
  }
  return { functions, constants };
}

function parseArgument(word: string): Declaration['arguments'][number] {
  const [name = '', type = ''] = word.split(':');
  return { name, type: type.replaceAll('_*', '*').replace(/^const_/, 'const ') };
}

function parseValue(text: string): number | string {
  return text.startsWith('"') ? text.slice(1, -1) : Number(text);
}

/** What a header declares, as it is on systems other than Windows. */
export function parseHeader(text: string): {
  readonly functions: ReadonlyMap<string, Declaration>;
  readonly constants: ReadonlyMap<string, number | string>;
} {
  const lines = withoutWindows(text.replace(/\/\*.*?\*\//gs, ' ').replace(/\/\/.*$/gm, ''));
  const constants = new Map<string, number | string>();
  for (const line of lines) {
    const [, name, value] = /^#define\s+((?:KRUN|NET)_\w+)\s+(.+?)\s*$/.exec(line) ?? [];
    const parsed = value === undefined ? undefined : constantOf(value);
    if (name !== undefined && parsed !== undefined) constants.set(name, parsed);
  }
  const code = lines.filter((line) => !line.startsWith('#')).join(' ');
  const functions = new Map<string, Declaration>();
  for (const [, returns, name, list] of code.matchAll(/(\w+)\s+(krun_\w+)\s*\(([^)]*)\)\s*;/g)) {
    if (returns !== undefined && name !== undefined && list !== undefined) {
      functions.set(name, { returns, arguments: argumentsOf(list) });
    }
  }
  return { functions, constants };
}

/** Undefined for a constant that is an expression of others, or of another type. */
function constantOf(value: string): number | string | undefined {
  if (/^".*"$/.test(value)) return value.slice(1, -1);
  const [, number, shift] = /^\(?(-?\d+)(?: << (\d+))?\)?$/.exec(value) ?? [];
  return number === undefined ? undefined : Number(number) << Number(shift ?? 0);
}

function argumentsOf(list: string): Declaration['arguments'] {
  if (/^\s*(void)?\s*$/.test(list)) return [];
  return list.split(',').map((each) => {
    const [, type = '', name = '', array = ''] = /^\s*(.*?)(\w+)\s*(\[\])?\s*$/.exec(each) ?? [];
    return { name, type: type.trim().replace(/\s*\*\s*/g, '*') + array };
  });
}

/** The lines outside `#ifdef _WIN32`. */
function withoutWindows(text: string): string[] {
  const kept: string[] = [];
  const windows: boolean[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line.startsWith('#if')) windows.push(line === '#ifdef _WIN32');
    else if (line === '#else') windows[windows.length - 1] = false;
    else if (line.startsWith('#endif')) windows.pop();
    else if (!windows.includes(true)) kept.push(line);
  }
  return kept;
}
