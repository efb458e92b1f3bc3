import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { refusalOf } from './client/read-json.ts';
import { AGENT_CODES, type RatlsError } from './errors.ts';

const DOCUMENT = new URL('../../native/agent/ratls/openapi.json', import.meta.url);

/**
 * All `x-codes` of responses. The document's own `x-codes` belong to requests that it does not
 * describe.
 */
function documentedCodes(): readonly string[] {
  const { paths } = JSON.parse(readFileSync(DOCUMENT, 'utf8')) as { readonly paths: unknown };
  const codes = new Set<string>();
  JSON.stringify(paths, (key, value: unknown) => {
    if (key === 'x-codes' && Array.isArray(value))
      for (const code of value) codes.add(String(code));
    return value;
  });
  return [...codes].sort();
}

function refusedWith(code: string): RatlsError {
  const body = Buffer.from(JSON.stringify({ error: { code, message: 'no' } }));
  return refusalOf({ status: 400, body });
}

it('knows exactly the error codes that the OpenAPI document of the agent has', () => {
  expect([...AGENT_CODES]).toEqual(documentedCodes());
});

it('passes on a known error code of the agent, and replaces an unknown one', () => {
  for (const code of AGENT_CODES) expect(refusedWith(code)).toMatchObject({ code, found: code });
  expect(refusedWith('made-up')).toMatchObject({ code: 'refused', found: 'made-up' });
  expect(refusedWith('certificate-signature')).toMatchObject({ code: 'refused' });
});

it('shows the message of a peer on one line without control characters', () => {
  const said = 'no\n\u001b[2Jverified\u009b31m\u202e\u2028and more';
  const body = Buffer.from(JSON.stringify({ error: { code: 'malformed', message: said } }));
  const { message } = refusalOf({ status: 400, body });
  expect(message).toBe('The peer refuses: no [2Jverified 31m and more');
});
