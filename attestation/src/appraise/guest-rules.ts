/**
 * A policy's checks of the report and of the guest's launch.
 *
 * @module
 */
import { isPrivilegedHostData } from '@a3s-box/policies/host-data';
import { demand, NOT_ASKED, oneOf, type Rule, skip } from './judgement.ts';

export const tee: Rule = ({ tee: actual, policy }) =>
  demand(actual === policy.tee, policy.tee, actual);

export const product: Rule = ({ claims, policy }) =>
  demand(
    policy.products.includes(claims.product),
    oneOf(policy.products, 'the policy allows no product'),
    claims.product,
  );

export const reportVersion: Rule = ({ claims, policy }) =>
  demand(
    policy.reportVersions.some((version) => version === claims.version),
    `version ${oneOf(policy.reportVersions, 'the policy allows no report version')}`,
    `version ${claims.version}`,
  );

export const debug: Rule = ({ claims, policy }) => {
  const actual = `debug ${onOff(claims.policy.debug)}`;
  if (policy.allowDebug) return skip('any: the policy allows debug', actual);
  return demand(!claims.policy.debug, 'debug off', actual);
};

/** REPORT_ID_MA is all ones for a guest that has no migration agent. */
const NO_AGENT = 'f'.repeat(64);

export const migrationAgent: Rule = ({ claims, policy }) => {
  const none = claims.reportIdMa === NO_AGENT;
  const actual = `migration ${onOff(claims.policy.migrateMa)}, ${
    none ? 'no agent' : `agent ${claims.reportIdMa}`
  }`;
  if (policy.allowMigrationAgent) return skip('any: the policy allows a migration agent', actual);
  return demand(!claims.policy.migrateMa && none, 'migration off, no agent', actual);
};

export const privileged: Rule = ({ claims, policy }) => {
  const found = isPrivilegedHostData(claims.hostData);
  const actual = found ? 'a privileged box' : 'not a privileged box';
  if (policy.allowPrivileged) return skip('any: the policy allows privileged boxes', actual);
  return demand(!found, 'not a privileged box', actual);
};

export const vmpl: Rule = ({ claims, policy }) =>
  demand(claims.vmpl === policy.vmpl, `vmpl ${policy.vmpl}`, `vmpl ${claims.vmpl}`);

export const cxl: Rule = ({ claims, policy }) => {
  const actual = `CXL ${onOff(claims.policy.cxlAllow)}`;
  if (policy.allowCxl) return skip('any: the policy allows CXL', actual);
  return demand(!claims.policy.cxlAllow, 'CXL off', actual);
};

export const singleSocket: Rule = ({ claims, policy }) => {
  const actual = `single socket ${onOff(claims.policy.singleSocket)}`;
  if (!policy.requireSingleSocket) return skip(NOT_ASKED, actual);
  return demand(claims.policy.singleSocket, 'single socket on', actual);
};

export const pageSwap: Rule = ({ claims, policy }) => {
  const actual = `page swap ${onOff(!claims.policy.pageSwapDisable)}`;
  if (!policy.requirePageSwapDisabled) return skip(NOT_ASKED, actual);
  return demand(claims.policy.pageSwapDisable, 'page swap off', actual);
};

export const memoryAes256Xts: Rule = ({ claims, policy }) => {
  const actual = `AES-256-XTS ${onOff(claims.policy.memAes256Xts)}`;
  if (!policy.requireMemoryAes256Xts) return skip(NOT_ASKED, actual);
  return demand(claims.policy.memAes256Xts, 'AES-256-XTS on', actual);
};

/** The text for a setting that is either forbidden or demanded. */
export function onOff(on: boolean): string {
  return on ? 'on' : 'off';
}
