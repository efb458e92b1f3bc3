// Package launch makes the box of a confidential guest: it takes one launch spec, which the guest's
// own report has to cover, and starts the main process once its secrets are there.
package launch

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/server"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/users"
)

// Port is where a guest with a network card listens for RA-TLS.
const Port = 4433

// lingers is how long a guest whose secrets did not come in time waits for the host to end it.
const lingers = 30 * time.Second

// Box has the methods of package box that a launch needs.
type Box interface {
	Take(spec *spec.Spec, digest string) error
	Listen(address string) (net.Listener, error)
	Process(id string) (*process.Handle, error)
	Start() (*process.Handle, error)
	Await() (*process.Handle, error)
	Begin(h *process.Handle, environment []string)
	Abandon(h *process.Handle, reason *process.ExitError)
	MainUser() (users.User, error)
}

// Born describes a guest that has taken its launch spec.
type Born struct {
	Instance   [16]byte
	SpecDigest [32]byte
	SpecText   []byte
	Spec       *launchspec.Spec
	Secrets    *secrets.Store
	// Report is the guest's own, which covers the launch spec.
	Report *snp.Report
	// HostCertificates is the host's claim about the endorsements of the processor's reports. It is
	// not authenticated.
	HostCertificates func() []byte

	volumes volumes
}

// Server is the guest's RA-TLS server.
type Server interface {
	Serve(listener net.Listener) error
	ServeConn(conn net.Conn) error
}

// Services are the services of a guest besides its workload.
type Services struct {
	RATLS Server
	// Sealer seals the keys of volumes under a binding and a policy.
	Sealer func(binding [32]byte, policy string) sealedvolume.Sealer
	// Attachments are mounts for the box, such as the one with the socket that its workload is
	// answered on. A pod has none.
	Attachments []spec.Attachment
	// ForContainer makes those of one container of a pod; close lets go of them.
	ForContainer func() (attachments []spec.Attachment, close func() error, err error)
	// Broker and Relay are nil for a launch spec without a broker. The relay is how Broker reaches
	// it.
	Broker Broker
	Relay  *kbs.Relay
}

// Launch is the launch of one confidential guest.
type Launch struct {
	Box       Box
	Kind      tee.Kind
	Processor tee.Processor
	// Privileged: the measured command line says that the box is.
	Privileged bool
	// Offer makes the services. They accept no client before the box is made.
	Offer func(born *Born) (*Services, error)
	// End ends the guest.
	End func()
	// Report gets the errors for which no request waits.
	Report func(message string)
	// FindDisks has the kernel look for the disks of containers, of which it gets no notice.
	FindDisks func() error

	// after calls a function once a time is over; nil: as package time does.
	after func(wait time.Duration, do func())
	// firstPause is that between attempts to fetch; 0: the usual one.
	firstPause time.Duration
	// second is how long one is of those between refreshes; 0: as everywhere.
	second time.Duration

	// taking is held by the caller that takes the launch spec.
	taking sync.Mutex

	mu           sync.Mutex
	born         *Born
	services     *Services
	files        *secrets.Files
	certificates []byte
	containers   containers
	// opening is there while the box is made of a launch spec whose volumes have keys at the
	// broker.
	opening *keyFetch
	// reached is closed once there was such a one; nil: nobody has asked.
	reached chan struct{}
}

var _ server.Confidential = (*Launch)(nil)

// TEE names the processor.
func (l *Launch) TEE() string { return string(l.Kind) }

// Spec is nil before the box was made of it.
func (l *Launch) Spec() *launchspec.Spec {
	if born := l.isBorn(); born != nil {
		return born.Spec
	}
	return nil
}

func (l *Launch) isBorn() *Born {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.born
}

// TakeCertificates keeps the last table.
func (l *Launch) TakeCertificates(table []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.certificates = slices.Clone(table)
}

func (l *Launch) hostCertificates() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.certificates
}

// Take takes a launch spec. The same bytes once more change nothing: a host whose connection broke
// does not know whether they were taken.
func (l *Launch) Take(text []byte) (*server.Taken, error) {
	l.taking.Lock()
	defer l.taking.Unlock()
	digest := sha256.Sum256(text)
	if born := l.isBorn(); born != nil {
		if born.SpecDigest != digest {
			return nil, box.ErrSpecTaken
		}
		return born.taken(), nil
	}
	spec, err := launchspec.Parse(text)
	if err != nil {
		return nil, &server.Error{Code: "launch-spec-malformed", Message: "launch spec: " + err.Error()}
	}
	if spec.IsPrivileged() != l.Privileged {
		return nil, errPrivileged
	}
	hostData, ok := spec.HostData(digest)
	if !ok {
		return nil, errMarked
	}
	report, err := l.covers(hostData)
	if err != nil {
		return nil, err
	}
	born := &Born{SpecDigest: digest, SpecText: slices.Clone(text), Spec: spec, Report: report, HostCertificates: l.hostCertificates}
	// Never fails, and waits until the kernel's random number generator is seeded; see
	// getrandom(2).
	_, _ = rand.Read(born.Instance[:])
	if err := l.make(born); err != nil {
		return nil, err
	}
	return born.taken(), nil
}

// Only guests with the word on their command line, which is measured, run privileged boxes, and
// they run no others.
var errPrivileged = &server.Error{
	Code: "launch-spec-mismatch", Message: "the launch spec and the command line of the guest do not agree whether the box is privileged",
}

var errMarked = &server.Error{
	Code: "launch-spec-mismatch", Message: "the digest of the launch spec begins as HOST_DATA of a privileged box; change the spec in any way",
}

func (b *Born) taken() *server.Taken {
	return &server.Taken{SpecDigest: b.SpecDigest, Instance: b.Instance, Volumes: b.Volumes()}
}

// covers checks that a fresh report of this guest has the HOST_DATA of the spec: a relying party
// that trusts evidence of this guest then trusts this spec. The report is over random bytes, so the
// host cannot replay one. That report is returned.
func (l *Launch) covers(hostData [32]byte) (*snp.Report, error) {
	var data [64]byte
	_, _ = rand.Read(data[:])
	answer, err := l.Processor.Report(data)
	if err != nil {
		return nil, &server.Error{Code: "tee-unavailable", Message: "report: " + err.Error()}
	}
	report, err := snp.Parse(answer.Report)
	if err != nil || report.ReportData != data {
		return nil, &server.Error{Code: "tee-unavailable", Message: "report: " + errors.Join(tee.ErrReport, err).Error()}
	}
	if report.HostData != hostData {
		return nil, &server.Error{
			Code: "launch-spec-mismatch",
			Message: "the launch spec is for HOST_DATA " + hex.EncodeToString(hostData[:]) + ", and the guest was launched with HOST_DATA " +
				hex.EncodeToString(report.HostData[:]),
		}
	}
	return report, nil
}

// make makes the box, and the services that answer for it.
func (l *Launch) make(born *Born) error {
	b := born.Spec.Box()
	newStore := secrets.NewStore
	if born.Spec.Counted() > 0 {
		newStore = secrets.NewHeldStore
	}
	born.Secrets = newStore(born.Spec.Secrets, time.Duration(born.Spec.SecretsDeadline)*time.Second)
	services, err := l.Offer(born)
	if err != nil {
		return err
	}
	b.Attachments = append(b.Attachments, services.Attachments...)
	var files *secrets.Files
	if !b.Pod && slices.ContainsFunc(born.Spec.Secrets, isFile) {
		if files, err = secrets.NewFiles(); err != nil {
			return err
		}
		b.Attachments = append(b.Attachments, spec.Attachment{Mount: files.Mount(), Path: secrets.Directory})
	}
	b.OpenSealed = l.openSealed(born, services)
	defer l.reaching(born.Spec, services)()
	if err := take(l.Box, b, born.SpecDigest); err != nil {
		return err
	}
	if !b.Pod {
		if err := hide(l.Box, born.Spec); err != nil {
			return err
		}
	}
	if born.Spec.Network == spec.NetworkNIC {
		listener, err := l.Box.Listen(":" + strconv.Itoa(Port))
		if err != nil {
			return err
		}
		go l.serve(services.RATLS, listener)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.born, l.services, l.files = born, services, files
	return nil
}

// serve serves the clients that come over the network. After it has ended, the host can still carry
// connections.
func (l *Launch) serve(s Server, listener net.Listener) {
	if err := s.Serve(listener); err != nil {
		l.Report("a3s-agent: RA-TLS: " + err.Error())
	}
}

func isFile(secret launchspec.Secret) bool { return secret.Target.Kind == launchspec.TargetFile }

func take(b Box, spec *spec.Spec, digest [32]byte) error {
	err := b.Take(spec, textOf(digest))
	var refused *dm.VerityError
	if errors.As(err, &refused) {
		return &server.Error{Code: "verity-mismatch", Message: err.Error()}
	}
	var small *layers.SizeError
	if errors.As(err, &small) {
		return &server.Error{Code: "changes-too-small", Message: err.Error()}
	}
	return err
}

func textOf(digest [32]byte) string { return "sha256:" + hex.EncodeToString(digest[:]) }

// hide drops the main process's output where the host may not read it. A full ring would block the
// process.
func hide(b Box, spec *launchspec.Spec) error {
	if slices.Contains(spec.HostMay, launchspec.MayLogs) || slices.Contains(spec.HostMay, launchspec.MayAttach) {
		return nil
	}
	h, err := b.Process(box.MainID)
	if err != nil {
		return err
	}
	h.Output.Discard()
	return nil
}

// ServeRATLS serves a connection that the host carries.
func (l *Launch) ServeRATLS(conn net.Conn) error {
	l.mu.Lock()
	services := l.services
	l.mu.Unlock()
	if services == nil {
		return box.ErrSpecMissing
	}
	return services.RATLS.ServeConn(conn)
}

// Secrets returns once something is new.
func (l *Launch) Secrets(done <-chan struct{}, seen int64) (secrets.Status, error) {
	born := l.isBorn()
	if born == nil {
		return secrets.Status{}, box.ErrSpecMissing
	}
	return born.Secrets.Await(done, seen), nil
}
