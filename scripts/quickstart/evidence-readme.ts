/**
 * The README beside the evidence of the quickstart: how to verify it with other tools.
 *
 * @module
 */

export function evidenceReadme(): string {
  return `Evidence of a SIMULATED confidential box: the formats are those of hardware, the keys prove nothing.

  report.bin           ATTESTATION_REPORT, 1184 bytes, as AMD 56860 has it
  vcek.der             certificate of the key that signed it
  authorities.pem      the two certificates above that
  simulated-roots.pem  the authorities of this installation's simulation
  report-data.hex      REPORT_DATA: SHA-512 over nonce, session and identity of the box
  nonce.bin            what the relying party sent
  launch-spec.json     as the box sent it; its SHA-256 is HOST_DATA
  spec.json, launch.json, policy.yaml
                       what a3s-box measure computed before the box was there
  verdict.json         every check of attest box

The chain, with OpenSSL:

  openssl x509 -inform der -in vcek.der -out vcek.pem
  openssl verify -CAfile simulated-roots.pem -untrusted authorities.pem vcek.pem

The launch spec, with coreutils: both print the same digits.

  sha256sum launch-spec.json
  od -An -v -tx1 -w32 -j192 -N32 report.bin

All of it, offline, with the verifier of this repository:

  a3s-box attest verify --report report.bin --vek vcek.der --certs authorities.pem \\
    --simulated-roots simulated-roots.pem --allow-simulated --policy policy.yaml --report-data $(cat report-data.hex)
`;
}
