/**
 * Endorsements of reports: from AMD's key distribution service, from a store on disk, or from
 * another store in one file.
 *
 * Nothing that is obtained here is trusted: `verify` checks all of it against pinned keys.
 *
 * @module
 */
export type { VekKind } from '../report/report-claims.ts';
export { BUNDLE_FORMAT, exportStore, type Imported, importStore } from './bundle.ts';
export {
  type CompleteEvidence,
  type CompleteOptions,
  Endorsements,
  type EndorsementsOptions,
  MAX_CRL_AGE,
  type ObtainOptions,
} from './endorsements.ts';
export { KdsClient, type KdsOptions } from './kds.ts';
export {
  EndorsementStore,
  type ObtainedCrl,
  type StoreOptions,
  type VerifyCrl,
  type VerifyVek,
} from './store/store.ts';
export { importTrusteeStore } from './store/trustee.ts';
export type { Clock } from './transport/clock.ts';
export {
  type Fetch,
  type FetchOptions,
  type FetchResponse,
  httpsFetch,
} from './transport/fetch.ts';
export { KDS_LIMITS, type KdsLimits } from './transport/transport.ts';
export { certChainUrl, crlUrl, KDS_URL, vcekUrl } from './urls.ts';
export type { VcekRequest } from './vcek-request.ts';
