import { expect, it } from 'vitest';
import * as ratls from './index.ts';

it('exports exactly the documented names from the ratls entry', () => {
  expect(Object.keys(ratls).sort()).toEqual([
    'AGENT_CODES',
    'MAX_SEALED_VALUE',
    'MAX_SECRET_SIZE',
    'RATLS_CHECKS',
    'RatlsError',
    'SERVE_LIMITS',
    'agentEvidence',
    'canInject',
    'clientOf',
    'connect',
    'ratlsFetch',
    'requestOfAgent',
    'serve',
    'workloadReportData',
  ]);
});
