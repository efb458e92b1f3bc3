package tee

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"a3s.dev/box/agent/strictjson"
)

// PortName is the host's name for the port of its simulated processor.
const PortName = "a3s.sp"

// The timeout of a guest: an answer that takes longer is lost, as one is when the host's server is
// replaced by another.
const (
	attemptTime = 5 * time.Second
	timeout     = 60 * time.Second
)

// ErrSilent is a simulated processor that does not answer.
var ErrSilent = errors.New("the simulated secure processor does not answer")

// Refusal is an error that a processor returned.
type Refusal struct{ Code, Message string }

func (e *Refusal) Error() string {
	return "the simulated secure processor refuses: " + e.Code + ": " + e.Message
}

// lines is a stream of lines to and from the simulated processor.
type lines interface {
	// Send writes bytes before a time.
	Send(data []byte, until time.Time) error
	// Receive returns the next line that comes before a time, without its end; errTime when none
	// does.
	Receive(until time.Time) ([]byte, error)
}

// port is the simulated processor: the host plays it. A guest talks to it only where its measured
// command line says so.
type port struct {
	lines            lines
	attempt, timeout time.Duration
	mu               sync.Mutex
	now              func() time.Time
	identify         func() string
}

func newPort(l lines) *port {
	return &port{lines: l, attempt: attemptTime, timeout: timeout, now: time.Now, identify: newID}
}

func newID() string {
	var id [8]byte
	// Never fails; see package crypto/rand.
	_, _ = rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// request is either; what is empty is left out.
type request struct {
	ID         string   `json:"id"`
	Op         string   `json:"op"`
	ReportData string   `json:"reportData,omitempty"`
	RootKey    string   `json:"rootKey,omitempty"`
	Fields     []string `json:"fields,omitzero"`
	VMPL       *uint32  `json:"vmpl,omitempty"`
	GuestSVN   *uint32  `json:"guestSvn,omitempty"`
	TCB        string   `json:"tcb,omitempty"`
}

type answer struct {
	ID           string   `json:"id"`
	Report       *string  `json:"report"`
	Certificates *string  `json:"certificates"`
	Key          *string  `json:"key"`
	Error        *failure `json:"error"`
}

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (p *port) Report(data [64]byte) (Report, error) {
	answered, err := p.ask(request{Op: "report", ReportData: hex.EncodeToString(data[:])})
	if err != nil {
		return Report{}, err
	}
	if answered.Report == nil || answered.Certificates == nil {
		return Report{}, fmt.Errorf("%w: it is no report", ErrReport)
	}
	report, err := base64.StdEncoding.Strict().DecodeString(*answered.Report)
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrReport, err)
	}
	certificates, err := base64.StdEncoding.Strict().DecodeString(*answered.Certificates)
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrReport, err)
	}
	return Report{report, certificates}, check(report, data)
}

// keyFields are the names of Fields, from bit 0.
var keyFields = []string{"policy", "image-id", "family-id", "measurement", "guest-svn", "tcb"}

func (p *port) DeriveKey(r KeyRequest) ([32]byte, error) {
	roots := map[RootKey]string{VCEK: "VCEK", VMRK: "VMRK"}
	fields := []string{}
	for bit, name := range keyFields {
		if r.Fields&(1<<bit) != 0 {
			fields = append(fields, name)
		}
	}
	answered, err := p.ask(request{
		Op: "derive-key", RootKey: roots[r.RootKey], Fields: fields, VMPL: &r.VMPL, GuestSVN: &r.GuestSVN,
		TCB: strconv.FormatUint(r.TCB, 10),
	})
	if err != nil {
		return [32]byte{}, err
	}
	if answered.Key == nil {
		return [32]byte{}, fmt.Errorf("%w: there is none", ErrKey)
	}
	decoded, err := hex.DecodeString(*answered.Key)
	if err != nil || len(decoded) != 32 {
		return [32]byte{}, fmt.Errorf("%w: it has not 32 bytes", ErrKey)
	}
	key := [32]byte(decoded)
	return key, checkKey(key)
}

// ask asks until there is an answer, each time under another name, so that a late answer is none.
func (p *port) ask(r request) (*answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for end := p.now().Add(p.timeout); p.now().Before(end); {
		until := p.now().Add(p.attempt)
		if until.After(end) {
			until = end
		}
		r.ID = p.identify()
		line, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		// The first newline ends what a request that broke off has left with the host.
		err = p.lines.Send(append(append([]byte{'\n'}, line...), '\n'), until)
		if err == nil {
			var answered *answer
			if answered, err = p.await(r.ID, until); err == nil {
				if answered.Error != nil {
					return nil, &Refusal{answered.Error.Code, answered.Error.Message}
				}
				return answered, nil
			}
		}
		if !errors.Is(err, errTime) {
			return nil, err
		}
	}
	return nil, ErrSilent
}

// await skips lines that are not answers, or are answers to other requests.
func (p *port) await(id string, until time.Time) (*answer, error) {
	for {
		line, err := p.lines.Receive(until)
		if err != nil {
			return nil, err
		}
		answered := &answer{}
		if strictjson.Decode(line, answered) == nil && answered.ID == id {
			return answered, nil
		}
	}
}
