import { expect, it } from 'vitest';
import { openApiPath } from '../http/openapi.ts';
import { ROUTES } from '../http/routes.ts';
import { dockerApiDocument, ROUTE_NOTES } from '../testing/docker-api-doc.ts';

it('docs/docker-api.md is what the tables say; vitest -u writes it', async () => {
  await expect(dockerApiDocument()).toMatchFileSnapshot('../../../docs/docker-api.md');
});

it('notes are of routes that there are', () => {
  const known = ROUTES.map(({ method, path }) => `${method} ${openApiPath(path)}`);
  expect(Object.keys(ROUTE_NOTES).filter((name) => !known.includes(name))).toEqual([]);
});
