// Package evidence makes what a guest proves itself by: reports of its secure processor, each over bytes that say what it is for.
//
// There is one function for each purpose. None takes REPORT_DATA from outside, so nobody can have a report made that a verifier
// takes for one of another purpose.
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
	// HostCertificates answers the certificate table that the host handed over, where it did; nil for none.
	HostCertificates func() []byte
}

// Rates of reports, and how many can be waited for at once. Those who ask from outside and the workload cannot use up each other's.
const (
	sessionBurst      = 64
	sessionPerSecond  = 16
	workloadBurst     = 16
	workloadPerSecond = 4
	maxWaiting        = 16
)

// maxCertificates bounds what a host can have handed on.
const maxCertificates = 64 << 10

// Source makes evidence of one guest. Its methods can be called by several goroutines at once.
type Source struct {
	config             Config
	sessions, workload queue
}

// queue bounds who waits for the processor.
type queue struct {
	rate  *Bucket
	slots chan struct{}
}

// New makes a source.
func New(config Config) *Source {
	return &Source{
		config:   config,
		sessions: queue{NewBucket(sessionBurst, sessionPerSecond), make(chan struct{}, maxWaiting)},
		workload: queue{NewBucket(workloadBurst, workloadPerSecond), make(chan struct{}, maxWaiting)},
	}
}

// Session proves to a peer that the guest holds this key, and is at the other end of this very connection. The nonce is the peer's.
func (s *Source) Session(spki, nonce, exporter []byte) (*Document, error) {
	return s.document(&s.sessions, &binding{
		purpose: purposeSession, spki: spki, nonce: nonce, exporter: exporter, role: roleServer,
	})
}

// Workload proves that what runs in the guest has said these bytes.
func (s *Source) Workload(data [64]byte) (*Document, error) {
	return s.document(&s.workload, &binding{purpose: purposeWorkload, nonce: data[:], role: roleWorkload})
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

// document asks the processor, unless too many do.
func (s *Source) document(q *queue, about *binding) (*Document, error) {
	select {
	case q.slots <- struct{}{}:
		defer func() { <-q.slots }()
	default:
		return nil, ErrTooMany
	}
	if !q.rate.Take() {
		return nil, ErrTooMany
	}
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

// certificates are those that the processor gave, or else those of the host.
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
