import { describe, expect, it } from 'vitest';
import { CallPolicies } from './call-policies.ts';

const policies = (): CallPolicies => new CallPolicies({ tufCache: '/nonexistent' });
const denying = (reason: string) => ({
  text: `images: [{ pattern: "**", deny: "${reason}" }]`,
  directory: '/nonexistent',
});

describe('the policies of calls', () => {
  it('finds an added policy by the digest of its content', async () => {
    const table = policies();
    const id = await table.add({ ...denying('a'), path: 'mine.yaml' });
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(table.get(id)).toMatchObject({ source: 'call', path: 'mine.yaml', digest: id });
    expect(await table.add(denying('a'))).toBe(id);
  });

  it('refuses to add a malformed policy', async () => {
    await expect(policies().add({ text: 'x', directory: '/' })).rejects.toMatchObject({
      code: 'policy-invalid',
    });
  });

  it('reports an unknown policy by its digest, with a remedy', () => {
    expect(() => policies().get('sha256:00')).toThrow(
      expect.objectContaining({
        code: 'no-such-policy',
        message: 'No such image policy: sha256:00',
      }),
    );
  });

  it('forgets the least recently used policy first', async () => {
    const table = policies();
    const first = await table.add(denying('0'));
    const second = await table.add(denying('1'));
    for (let at = 2; at < 64; at += 1) await table.add(denying(String(at)));
    table.get(first);
    await table.add(denying('64'));
    expect(table.get(first).digest).toBe(first);
    expect(() => table.get(second)).toThrow('No such image policy');
  });
});
