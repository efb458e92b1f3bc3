/**
 * TLS that ends inside an attested guest: a client that verifies it, and a server that shows
 * evidence.
 *
 * @module
 */
export { canInject, MAX_SECRET_SIZE } from './binding/injection.ts';
export { workloadReportData } from './binding/report-data.ts';
export type { Tee } from './certificate/evidence-extension.ts';
export { RATLS_CHECKS, type RatlsCheck, type RatlsCheckCode } from './checks.ts';
export { connect } from './client/connect.ts';
export type { FetchInit } from './client/fetch.ts';
export type { ConnectOptions, ExpectedPeer, TrustOptions, WaitOptions } from './client/options.ts';
export { type FetchOptions, type RatlsFetch, ratlsFetch } from './client/ratls-fetch.ts';
export { MAX_SEALED_VALUE, type SealTerms } from './client/seal.ts';
export type { RatlsSession } from './client/session.ts';
export type { Endpoint } from './client/tls-connection.ts';
export type { VerifiedPeer } from './client/verify-peer.ts';
export {
  AGENT_CODES,
  type AgentCode,
  type RatlsCode,
  RatlsError,
  type RatlsErrorDetails,
} from './errors.ts';
export type { Info } from './protocol/messages.ts';
export { agentEvidence } from './server/agent-evidence.ts';
export {
  type AgentAnswer,
  type AgentOptions,
  type AgentRequest,
  requestOfAgent,
} from './server/agent-request.ts';
export type { Application, ClientConnection } from './server/application.ts';
export { clientOf } from './server/client-address.ts';
export type { ClientLimits } from './server/clients.ts';
export type { EvidenceSource, OwnEvidence, OwnIdentity } from './server/evidence-source.ts';
export {
  type RatlsServer,
  SERVE_LIMITS,
  type ServeLimits,
  type ServeOptions,
  serve,
} from './server/serve.ts';
