/**
 * The order in which Docker lists names: numbers in them count as numbers.
 *
 * @module
 */

/** For `sort`: `v2` comes before `v10`, and a digit before anything else. */
export function inNaturalOrder(a: string, b: string): number {
  const left = parts(a);
  const right = parts(b);
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const order = compare(part, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Digits that follow each other are one part, everything else is one part for each character. */
function parts(text: string): readonly string[] {
  return text.match(/\d+|\D/gu) ?? [];
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  const numbers = [a, b].map((part) => /^\d/.test(part));
  if (numbers[0] !== numbers[1]) return numbers[0] === true ? -1 : 1;
  if (numbers[0] !== true) return a < b ? -1 : 1;
  const [left = '', right = ''] = [a, b].map((part) => part.replace(/^0+/, ''));
  if (left.length !== right.length) return left.length - right.length;
  if (left !== right) return left < right ? -1 : 1;
  return a.length - b.length;
}
