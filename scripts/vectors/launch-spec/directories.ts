/**
 * Invalid directories of a launch spec.
 *
 * @module
 */
import type { Refused } from './resources.ts';

/** As many directories, in order. */
export const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `/v${index + 1000}`);

const refused = (name: string, comment: string, directories: unknown): Refused => [
  `directories-${name}`,
  comment,
  ['directories', directories],
];

export const DIRECTORY_RULES: readonly Refused[] = [
  refused('relative', 'Not from the root.', ['data']),
  refused('empty-path', 'No path.', ['']),
  refused('root', 'It is always there.', ['/']),
  refused('dot', 'A component that changes nothing.', ['/a/./b']),
  refused('dot-last', 'A component that changes nothing.', ['/a/.']),
  refused('parent', 'A component that goes up.', ['/a/../b']),
  refused('parent-first', 'A component that goes up.', ['/..']),
  refused('slash-first', 'Two slashes.', ['//a']),
  refused('slash-twice', 'Two slashes.', ['/a//b']),
  refused('slash-last', 'A slash at its end.', ['/a/']),
  refused('nul', 'A NUL character.', ['/a\0b']),
  refused('long', '4097 characters.', [`/${'x'.repeat(4096)}`]),
  refused('257', '257 of them.', numbered(257)),
  refused('none', 'An absent list says none.', []),
  refused('twice', 'One twice.', ['/a', '/a']),
  refused('unsorted', 'Not sorted.', ['/b', '/a']),
  refused('bytes', 'Sorted as UTF-8.', ['/\uff5e', '/\u{1f512}']),
  refused('null', 'Null for none.', null),
  refused('text', 'Not a list.', '/a'),
  refused('object', 'As an image has them.', { '/a': {} }),
];
