import { expect, it } from 'vitest';
import { openApiPath } from '../http/openapi.ts';
import { ROUTES } from '../routes.ts';
import { dockerApiDocument, ROUTE_NOTES } from '../testing/docker-api-doc.ts';

it('docs/docker-api.md matches the route tables, and vitest -u updates it', async () => {
  await expect(dockerApiDocument()).toMatchFileSnapshot('../../../docs/docker-api.md');
});

it('the document of routes has notes only on existing routes', () => {
  const known = ROUTES.map(({ method, path }) => `${method} ${openApiPath(path)}`);
  expect(Object.keys(ROUTE_NOTES).filter((name) => !known.includes(name))).toEqual([]);
});
