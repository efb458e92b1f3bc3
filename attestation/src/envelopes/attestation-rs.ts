/**
 * Evidence of attestation-rs from Azure, JSON: az-snp-vtpm's evidence in a wrapper that names the
 * platform.
 *
 * @module
 */
import { type AzureVtpmEvidence, evidenceFromAzureVtpmJson } from './azure-vtpm.ts';
import { jsonMalformed, jsonObject, jsonValue } from './encodings/json.ts';

/**
 * Evidence of `{"platform": "az-snp", "evidence": …}`, as text or parsed. What is inside is read as
 * {@link evidenceFromAzureVtpmJson} does. Evidence of other platforms of attestation-rs (`snp`,
 * `gcp-snp`) is that of Confidential Containers: {@link evidenceFromCocoJson}.
 *
 * @throws AttestationError `json-malformed` for anything else, another platform, and a bundle of
 *   other evidence beside it (`nvidia_gpu`), which nothing here would look at; `hcl-malformed`
 */
export function evidenceFromAttestationRsJson(input: unknown): AzureVtpmEvidence {
  const wrapper = jsonObject(jsonValue(input), 'the envelope', ['platform', 'evidence']);
  if (wrapper.get('platform') !== 'az-snp') throw jsonMalformed('platform', '"az-snp"');
  return evidenceFromAzureVtpmJson(wrapper.get('evidence') ?? null);
}
