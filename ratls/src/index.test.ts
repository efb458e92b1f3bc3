import { expect, it } from 'vitest';
import * as ratls from './index.ts';

it('exports what is documented, and nothing else', () => {
  expect(Object.keys(ratls).sort()).toEqual([
    'AGENT_CODES',
    'MAX_SECRET_SIZE',
    'RATLS_CHECKS',
    'RatlsError',
    'SERVE_LIMITS',
    'agentEvidence',
    'canInject',
    'connect',
    'ratlsFetch',
    'serve',
    'workloadReportData',
  ]);
});
