import { describe, expect, it } from 'vitest';
import { chainIds } from './chain-ids.ts';

describe('chain ids', () => {
  it('are those of OCI: the lowest layer has its diff id, one above it the digest of both', () => {
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
});
