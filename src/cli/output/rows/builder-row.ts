/**
 * A builder as a row of `builder ls`.
 *
 * @module
 */
import type { BuilderSummary } from '../../../docker-api/a3s/builder.ts';
import { numberOf, type Received, stringOf } from '../../client/json.ts';
import { humanSize } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

export const BUILDER_LISTING: Listing = {
  defaults: '{{.Name}}\t{{.State}}\t{{.Box}}\t{{.Uses}}\t{{.CacheSize}}',
  headers: {
    Name: 'NAME',
    State: 'STATE',
    Box: 'BOX ID',
    Uses: 'USES',
    CacheSize: 'CACHE SIZE',
    Cache: 'CACHE',
  },
};

export function builderRow(builder: Received<BuilderSummary>): Row {
  return {
    Name: stringOf(builder.name),
    State: stringOf(builder.state),
    Box: stringOf(builder.box).slice(0, 12),
    Uses: String(numberOf(builder.uses)),
    CacheSize: humanSize(numberOf(builder.cacheBytes)),
    Cache: stringOf(builder.cache),
  };
}
