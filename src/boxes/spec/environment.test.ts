import { describe, expect, it } from 'vitest';
import { mergeEnvironment, overrideEnvironment, processEnvironment } from './environment.ts';

describe('environment', () => {
  it('appends the image’s variables to the user’s, and keeps one entry per name', () => {
    expect(mergeEnvironment(['A=2', 'B'], ['A=1', 'B=1', 'C=1'])).toEqual(['A=2', 'B', 'C=1']);
  });

  it('starts from Docker’s own variables, which entries override or remove', () => {
    expect(processEnvironment('h', true, ['PATH=/x', 'HOSTNAME', 'A=1'])).toEqual([
      ...['PATH=/x', 'TERM=xterm', 'A=1'],
    ]);
    expect(overrideEnvironment(['A=1', 'B=2'], ['A=', 'A=3=4'])).toEqual(['A=3=4', 'B=2']);
  });
});
