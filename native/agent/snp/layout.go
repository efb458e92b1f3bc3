package snp

// Where the fields of a report are, by their names in the ABI.
const (
	versionAt         = 0x000
	guestSVNAt        = 0x004
	policyAt          = 0x008
	vmplAt            = 0x030
	signatureAlgoAt   = 0x034
	currentTCBAt      = 0x038
	keyInfoAt         = 0x048
	reportDataAt      = 0x050
	measurementAt     = 0x090
	hostDataAt        = 0x0c0
	idKeyDigestAt     = 0x0e0
	authorKeyDigestAt = 0x110
	reportedTCBAt     = 0x180
	cpuidAt           = 0x188
	chipIDAt          = 0x1a0
	committedTCBAt    = 0x1e0
	launchTCBAt       = 0x1f0
	mitVectorsAt      = 0x1f8
	signatureRAt      = 0x2a0
	signatureSAt      = 0x2e8
	signatureRestAt   = 0x330
)

const (
	chipIDSize     = 64
	cpuidSize      = 3
	mitVectorsSize = 16
	// A number of the signature has more bytes than P-384 fills.
	numberSize = 72
	scalarSize = 48
)

type span struct{ at, size int }

func (s span) of(report []byte) []byte { return report[s.at : s.at+s.size] }

// reserved is zero in every version.
var reserved = []span{{0x04c, 4}, {0x18b, 21}, {0x1eb, 1}, {0x1ef, 1}, {0x208, 152}}

// reservedIn are the bytes that must be zero in a version.
func reservedIn(version uint32) []span {
	spans := reserved[:len(reserved):len(reserved)]
	if version < 3 {
		spans = append(spans, span{cpuidAt, cpuidSize})
	}
	if version < 5 {
		spans = append(spans, span{mitVectorsAt, mitVectorsSize})
	}
	return spans
}
