package evidence

import "encoding/hex"

// Names of technologies, as policies have them.
const (
	teeSNP       = "sev-snp"
	teeSimulated = "simulated"
)

// documentSchema is the value of Evidence.Schema.
const documentSchema = "a3s-box/evidence/v1"

// Evidence is a report, and what endorses it.
type Evidence struct {
	Schema string `json:"schema"`
	TEE    string `json:"tee"`
	Report []byte `json:"report"`
	// Certificates is a certificate table of the GHCB specification, from the host or the
	// processor. It is not authenticated.
	Certificates []byte `json:"certificates,omitempty"`
}

// Document is the reply to a relying party: the evidence, and the inputs of REPORT_DATA besides the
// evidence's own bytes.
type Document struct {
	Evidence Evidence `json:"evidence"`
	Identity
	// Spec is the launch spec whose digest is SpecDigest and HOST_DATA.
	Spec []byte `json:"spec"`
}

// Identity says which guest this is.
type Identity struct {
	Instance   string `json:"instance"`
	SpecDigest string `json:"specDigest"`
}

// TEE is the name of the guest's technology.
func (s *Source) TEE() string {
	if s.config.Simulated {
		return teeSimulated
	}
	return teeSNP
}

// Simulated says whether the evidence is worth nothing.
func (s *Source) Simulated() bool { return s.config.Simulated }

// Instance is that of the guest.
func (s *Source) Instance() [16]byte { return s.config.Instance }

// SpecDigest is that of the guest's launch spec.
func (s *Source) SpecDigest() [32]byte { return s.config.SpecDigest }

// Identity is that of the guest.
func (s *Source) Identity() Identity {
	return Identity{hex.EncodeToString(s.config.Instance[:]), hex.EncodeToString(s.config.SpecDigest[:])}
}
