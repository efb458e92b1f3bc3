import { inspectBelow } from '../inspect-each.ts';

export const inspectTemplate = inspectBelow('/a3s/v1/templates', {
  usage: '[OPTIONS] TEMPLATE [TEMPLATE...]',
});
