import { describe, expect, it } from 'vitest';
import { ChainCounts, chainIds } from './chain-ids.ts';

describe('chain ids', () => {
  it('computes chain ids as OCI does, from the diff id of each layer and the chain id below it', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`) as [
      string,
      string,
      string,
    ];
    // printf 'sha256:aaa… sha256:bbb…' | sha256sum
    const second = 'sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c';
    const third = 'sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588';
    expect(chainIds([a, b, c])).toEqual([a, second, third]);
    expect(chainIds([a, c])[1]).not.toBe(second);
    expect(chainIds([])).toEqual([]);
  });

  it('drops a chain id with the last image that has it, and reads each image once', () => {
    let reads = 0;
    const image = (id: string, ...diffIds: string[]) => ({
      id,
      get layers() {
        reads++;
        return diffIds.map((diffId) => ({ diffId }));
      },
    });
    const chains = new ChainCounts([
      image('1', 'a', 'b'),
      image('2', 'a', 'b', 'c'),
      image('3', 'a'),
    ]);
    const [, second, third] = chainIds(['a', 'b', 'c']);
    expect(chains.remove('2')).toEqual([third]);
    expect(chains.remove('9')).toEqual([]);
    expect(chains.remove('1')).toEqual([second]);
    expect(chains.remove('3')).toEqual(['a']);
    expect(reads).toBe(3);
  });
});
