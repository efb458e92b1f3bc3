package evidence

import "crypto/sha512"

// domain keeps these bytes apart from all others that anybody hashes.
const domain = "a3s-box/report-data/v1"

// Purposes and roles of reports. A verifier takes none for another.
const (
	purposeSession  = "ra-tls-session"
	purposeWorkload = "workload"
	roleServer      = "server"
	roleWorkload    = "workload"
)

// binding names the purpose and the data of a requested report.
type binding struct {
	purpose  string
	spki     []byte
	nonce    []byte
	exporter []byte
	role     string
}

// reportData is REPORT_DATA of a binding for one guest.
func (b *binding) reportData(instance [16]byte, specDigest [32]byte) [64]byte {
	return sha512.Sum512(Items(
		[]byte(domain), []byte(b.purpose), b.spki, b.nonce, b.exporter, []byte(b.role), instance[:], specDigest[:],
	))
}
