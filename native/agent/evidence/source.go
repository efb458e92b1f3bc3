// Package evidence makes evidence: secure-processor reports, each bound to one purpose.
//
// There is one function for each purpose. None takes REPORT_DATA from outside, so a caller cannot
// get a report that a verifier takes for one of another purpose.
package evidence

import "a3s.dev/box/agent/tee"

// Config says who the guest is.
type Config struct {
	Processor tee.Processor
	// Simulated: the processor is a simulated one, and everything says so.
	Simulated bool
	// Instance was drawn at random when the guest started.
	Instance   [16]byte
	SpecDigest [32]byte
	// SpecText is the launch spec, as it was received and hashed.
	SpecText []byte
	// HostCertificates returns the certificate table that the host handed over, or nil.
	HostCertificates func() []byte
}

// Rates of reports, and how many requests can wait at once. Callers from outside and the workload
// have separate rates and cannot use up each other's.
const (
	sessionBurst = 64
	// Not less than the connections that the RA-TLS server admits in a second, so that none of them
	// waits long for its first.
	sessionPerSecond  = 32
	workloadBurst     = 16
	workloadPerSecond = 4
	// As many as there are connections, each with one request at a time: no connection is refused
	// because of the others.
	maxSessions = 64
	maxWorkload = 16
)

// maxCertificates bounds what a host can have handed on.
const maxCertificates = 64 << 10

// Source makes evidence of one guest. Its methods can be called by several goroutines at once.
type Source struct {
	config             Config
	sessions, workload queue
}

// New makes a source.
func New(config Config) *Source {
	return &Source{
		config: config,
		sessions: queue{
			rate: NewBucket(sessionBurst, sessionPerSecond), slots: make(chan struct{}, maxSessions), turn: make(chan struct{}, 1),
		},
		workload: queue{rate: NewBucket(workloadBurst, workloadPerSecond), slots: make(chan struct{}, maxWorkload)},
	}
}

// Session proves to a peer that the guest holds this key, and is at the other end of this very
// connection. The nonce is the peer's. Peers are answered in turn; one that is gone, which is when
// that channel is closed, is not waited with.
func (s *Source) Session(gone <-chan struct{}, spki, nonce, exporter []byte) (*Document, error) {
	leave, err := s.sessions.enter(gone)
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.document(sessionBinding(spki, nonce, exporter))
}

// SessionAgain is Session for a peer that has had evidence of this connection. It is refused while
// others wait for their first.
func (s *Source) SessionAgain(spki, nonce, exporter []byte) (*Document, error) {
	leave, err := s.sessions.enterIdle()
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.document(sessionBinding(spki, nonce, exporter))
}

func sessionBinding(spki, nonce, exporter []byte) *binding {
	return &binding{purpose: purposeSession, spki: spki, nonce: nonce, exporter: exporter, role: roleServer}
}

// Workload proves that what runs in the guest has said these bytes.
func (s *Source) Workload(data [64]byte) (*Document, error) {
	leave, err := s.workload.enter(nil)
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.document(&binding{purpose: purposeWorkload, nonce: data[:], role: roleWorkload})
}

// Extension is the value of the extension of the certificate of a key. It is a hint and not
// fresh: the report is made once.
func (s *Source) Extension(spki []byte) ([]byte, error) {
	claims := claims(spki, s.config.Instance, s.config.SpecDigest)
	report, err := s.config.Processor.Report(claimsReportData(claims))
	if err != nil {
		return nil, err
	}
	return extension(report.Report, s.certificates(report), claims), nil
}

// document asks the processor.
func (s *Source) document(about *binding) (*Document, error) {
	report, err := s.config.Processor.Report(about.reportData(s.config.Instance, s.config.SpecDigest))
	if err != nil {
		return nil, err
	}
	return &Document{
		Evidence: Evidence{documentSchema, s.TEE(), report.Report, s.certificates(report)},
		Identity: s.Identity(),
		Spec:     s.config.SpecText,
	}, nil
}

// certificates returns the processor's certificates, or else the host's.
func (s *Source) certificates(report tee.Report) []byte {
	table := report.Certificates
	if len(table) == 0 && s.config.HostCertificates != nil {
		table = s.config.HostCertificates()
	}
	if len(table) > maxCertificates {
		return nil
	}
	return table
}
