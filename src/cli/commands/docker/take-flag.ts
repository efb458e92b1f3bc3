import { UsageError } from '../../usage-error.ts';

/**
 * Takes a flag that has a value out of arguments, wherever it stands. The last one counts.
 *
 * @param flag with its dashes
 * @throws UsageError where it has no value
 */
export function takeFlag(
  flag: string,
  given: readonly string[],
): { readonly value: string | undefined; readonly args: readonly string[] } {
  const args = [...given];
  let value: string | undefined;
  for (;;) {
    const at = args.findIndex((each) => each === flag || each.startsWith(`${flag}=`));
    if (at === -1) return { value, args };
    const [found = '', next] = args.slice(at);
    const isApart = found === flag;
    value = isApart ? next : found.slice(flag.length + 1);
    if (value === undefined || value === '')
      throw new UsageError(`flag needs an argument: ${flag}`);
    args.splice(at, isApart ? 2 : 1);
  }
}
