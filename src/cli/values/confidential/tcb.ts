/**
 * A TCB as the key distribution service names its parts.
 *
 * @module
 */

/** Security patch levels, each 0 to 255. Turin alone has `fmc`. */
export interface TcbParts {
  readonly bl: number;
  readonly tee: number;
  readonly snp: number;
  readonly ucode: number;
  readonly fmc?: number;
}

const NAMES = ['fmc', 'bl', 'tee', 'snp', 'ucode'];

/**
 * `bl=4,tee=0,snp=24,ucode=213`, in any order, and `fmc=1` on Turin.
 *
 * @throws RangeError for a part that is missing, unknown, given twice, or not 0 to 255
 */
export function parseTcb(text: string): TcbParts {
  const parts = new Map<string, number>();
  for (const item of text.split(',')) {
    const [, name = '', number = ''] = /^([a-z]+)=(\d{1,3})$/.exec(item) ?? [];
    if (!NAMES.includes(name) || Number(number) > 255) {
      throw new RangeError(
        `'${item}' is none of bl, tee, snp, ucode, fmc with a value of 0 to 255`,
      );
    }
    if (parts.has(name)) throw new RangeError(`${name} is given twice`);
    parts.set(name, Number(number));
  }
  const part = (name: string): number => {
    const value = parts.get(name);
    if (value === undefined) throw new RangeError(`${name} is missing`);
    return value;
  };
  const fmc = parts.get('fmc');
  return {
    ...(fmc === undefined ? {} : { fmc }),
    bl: part('bl'),
    tee: part('tee'),
    snp: part('snp'),
    ucode: part('ucode'),
  };
}
