import { UsageError } from '../../usage-error.ts';

const SIGN = '--sign';

/**
 * Takes `--sign KEY` out of the arguments of docker build, wherever it stands.
 *
 * @throws UsageError where it has no value
 */
export function withoutSign(given: readonly string[]): {
  readonly key: string | undefined;
  readonly args: readonly string[];
} {
  const args = [...given];
  let key: string | undefined;
  for (;;) {
    const at = args.findIndex((each) => each === SIGN || each.startsWith(`${SIGN}=`));
    if (at === -1) return { key, args };
    const [flag = '', next] = args.slice(at);
    const isApart = flag === SIGN;
    key = isApart ? next : flag.slice(SIGN.length + 1);
    if (key === undefined || key === '') throw new UsageError(`flag needs an argument: ${SIGN}`);
    args.splice(at, isApart ? 2 : 1);
  }
}
