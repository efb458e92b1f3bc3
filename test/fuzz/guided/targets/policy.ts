import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { refusing } from '../refusing.ts';

export const fuzz = refusing((bytes) => parseAttestationPolicy(readPolicyDocument(bytes)));
