/**
 * Media types of manifests, of what they list, and of signatures beside images.
 *
 * @module
 */

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
/** The configuration of an artifact that has none. */
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';

/** Of the OCI image specification, and of Docker's schema 2. */
export const MANIFEST_TYPES = [
  OCI_MANIFEST,
  'application/vnd.docker.distribution.manifest.v2+json',
];
export const INDEX_TYPES = [OCI_INDEX, 'application/vnd.docker.distribution.manifest.list.v2+json'];
export const CONFIG_TYPES = [OCI_CONFIG, 'application/vnd.docker.container.image.v1+json'];
/** Docker's schema 1, whose digests do not cover the content. */
export const SCHEMA_1_TYPES = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
];

/** The layer of a signature, in cosign's classic form. */
export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
/** The layer of an attestation. */
export const DSSE_ENVELOPE = 'application/vnd.dsse.envelope.v1+json';
