/**
 * Texts that no launch spec has: the same document in other bytes, and bytes that are no text.
 *
 * @module
 */

/** The same spec in other bytes. */
export const OTHER_TEXTS: readonly [
  name: string,
  comment: string,
  change: (text: string) => string,
][] = [
  ['space', 'One blank more.', (text) => text.replace('":', '": ')],
  ['space-first', 'A blank before.', (text) => ` ${text}`],
  ['line-end', 'A line end behind.', (text) => `${text}\n`],
  ['nul-behind', 'NUL behind.', (text) => `${text}\0`],
  ['twice', 'Two documents.', (text) => text + text],
  ['cut', 'The last byte is missing.', (text) => text.slice(0, -1)],
  [
    'key-twice',
    'The first is what some readers use, the last what others do.',
    (text) => text.replace('"network":"none"', '"network":"none","network":"none"'),
  ],
  [
    'key-twice-other-value',
    'One admitted, another used.',
    (text) => text.replace('"network":"none"', '"network":"nic","network":"none"'),
  ],
  [
    'key-in-capitals',
    'Some readers do not mind.',
    (text) => text.replace('"network"', '"Network"'),
  ],
  ['key-escaped', 'The same key, escaped.', (text) => text.replace('"network"', '"\\u006eetwork"')],
  [
    'key-twice-escaped',
    'A key twice, once escaped.',
    (text) => text.replace('"network"', '"\\u006eetwork":"nic","network"'),
  ],
  [
    'keys-unsorted',
    'Members in another order.',
    (text) =>
      text
        .replace('"seccomp":"default"', '')
        .replace('"confinement":{', '"confinement":{"seccomp":"default",')
        .replace(',}', '}')
        .replace(',,', ','),
  ],
  ['text-escaped', 'An escape for a letter.', (text) => text.replace('"box"', '"b\\u006fx"')],
  ['slash-escaped', 'An escape for a slash.', (text) => text.replace('"/x"', '"\\/x"')],
  ['number-fraction', 'A fraction of nothing.', (text) => text.replace(':600', ':600.0')],
  ['number-exponent', 'An exponent.', (text) => text.replace(':600', ':6e2')],
  ['number-zero-first', 'A zero first.', (text) => text.replace(':600', ':0600')],
  ['number-minus-zero', 'Minus zero.', (text) => text.replace(':600', ':-0')],
  [
    'number-beyond',
    '2^53 + 1, which some readers round.',
    (text) => text.replace(':4096', ':9007199254740993'),
  ],
  ['comma', 'A comma behind the last.', (text) => text.replace(/}$/, ',}')],
  ['list', 'A list of specs.', (text) => `[${text}]`],
  ['null', 'Nothing.', () => 'null'],
  ['deep', 'Deeper than any reader has to go.', () => '['.repeat(100_000)],
  ['surrogate', 'Half a pair.', (text) => text.replace('"/x"', '"\\ud83d"')],
  ['surrogate-pair', 'A pair, escaped.', (text) => text.replace('"/x"', '"\\ud83d\\udd12"')],
  ['control', 'A bare line end in a text.', (text) => text.replace('"/x"', '"\n"')],
  ['control-capitals', 'An escape in capitals.', (text) => text.replace('"/x"', '"\\u001F"')],
  ['control-long', 'A longer escape than need be.', (text) => text.replace('"/x"', '"\\u000a"')],
];

/** Bytes that are no text, in the place of the program. */
export const NO_TEXT: readonly [name: string, comment: string, bytes: readonly number[]][] = [
  ['utf8-alone', 'A byte that only continues.', [0x80]],
  ['utf8-long', 'A slash in two bytes.', [0xc0, 0xaf]],
  ['utf8-surrogate', 'Half a pair, encoded.', [0xed, 0xa0, 0xbd]],
  ['utf8-beyond', 'Beyond the last character.', [0xf4, 0x90, 0x80, 0x80]],
  ['utf8-cut', 'The last byte of three is missing.', [0xe2, 0x82]],
  ['utf16', 'Another encoding.', [0xff, 0xfe, 0x78, 0x00]],
];
