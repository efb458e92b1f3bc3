import { describe, expect, it } from 'vitest';
import { GoEvents } from './go-events.ts';

function lines(...events: readonly object[]): { events: GoEvents; printed: string } {
  const reader = new GoEvents();
  const printed = events.map((event) => reader.add(JSON.stringify(event))).join('');
  return { events: reader, printed };
}

describe('the events of go test', () => {
  it('reports a file for each Go package, with its tests and its duration', () => {
    const { events, printed } = lines(
      { Action: 'run', Package: 'agent/box', Test: 'TestRun' },
      { Action: 'output', Package: 'agent/box', Test: 'TestRun', Output: 'ok\n' },
      { Action: 'pass', Package: 'agent/box', Test: 'TestRun', Elapsed: 1 },
      { Action: 'pass', Package: 'agent/box', Elapsed: 2.5 },
    );
    expect(events.files()).toEqual([
      {
        file: 'agent/box',
        seconds: 2.5,
        tests: [{ path: ['TestRun'], state: 'passed', output: '' }],
        errors: [],
      },
    ]);
    expect(printed).toBe('✓ agent/box\n');
  });

  it('prints and keeps the output of a failed Go test', () => {
    const { events, printed } = lines(
      { Action: 'output', Package: 'agent/box', Test: 'TestRun', Output: 'want 1, got 2\n' },
      { Action: 'fail', Package: 'agent/box', Test: 'TestRun' },
      { Action: 'fail', Package: 'agent/box', Elapsed: 1 },
    );
    expect(printed).toContain('✗ agent/box TestRun\nwant 1, got 2\n');
    expect(events.files()[0]?.errors).toEqual([]);
    expect(events.files()[0]?.tests).toEqual([
      { path: ['TestRun'], state: 'failed', output: 'want 1, got 2\n' },
    ]);
  });

  it('reports a failure for a Go package that fails without a failed test', () => {
    const { events } = lines(
      { Action: 'output', Package: 'agent/box', Output: 'panic: no\n' },
      { Action: 'fail', Package: 'agent/box', Elapsed: 1 },
    );
    expect(events.files()[0]?.errors).toEqual(['failed\npanic: no\n']);
  });

  it('names a skipped Go test with its reason', () => {
    const { events, printed } = lines(
      { Action: 'output', Package: 'agent/box', Test: 'TestRoot', Output: 'needs root\n' },
      { Action: 'skip', Package: 'agent/box', Test: 'TestRoot' },
      { Action: 'pass', Package: 'agent/box', Elapsed: 1 },
    );
    expect(printed).toContain('- agent/box TestRoot\nneeds root\n');
    expect(events.files()[0]?.tests[0]?.state).toBe('skipped');
  });

  it('prints the errors of a Go build', () => {
    const reader = new GoEvents();
    expect(reader.add('box.go:3: syntax error')).toBe('box.go:3: syntax error\n');
    const built = { Action: 'build-output', ImportPath: 'agent/box', Output: 'box.go:3: no\n' };
    expect(reader.add(JSON.stringify(built))).toBe('box.go:3: no\n');
  });
});
