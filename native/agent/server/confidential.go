package server

import (
	"encoding/hex"
	"net"
	"strconv"
	"strings"
	"time"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/strictjson"
	"a3s.dev/box/agent/users"
)

// Confidential has the parts of a confidential guest besides its box.
type Confidential interface {
	// TEE names the guest's secure processor.
	TEE() string
	// Spec is the launch spec; nil before it was taken.
	Spec() *launchspec.Spec
	// Take takes the text of a launch spec, once, and makes the box of it.
	Take(text []byte) (*Taken, error)
	// TakeCertificates keeps what the host says endorses the processor's reports.
	TakeCertificates(table []byte)
	// Start starts the main process, or has it wait for its secrets.
	Start() (*process.Handle, error)
	// Secrets returns when the version is not the seen one, or when done is closed.
	Secrets(done <-chan struct{}, seen int64) (secrets.Status, error)
	// ServeRATLS serves a connection to the guest's own server until it ends.
	ServeRATLS(conn net.Conn) error
	// Reaching is closed once the guest connects to its broker while it takes its launch spec.
	Reaching() <-chan struct{}
	// BrokerConnection waits until the guest connects to its broker, or the channel is closed, and
	// returns the end that the host is to carry.
	BrokerConnection(gone <-chan struct{}) (net.Conn, error)
	// Container has the parts of a container of the pod, whose box has no spec yet.
	Container(b ContainerBox) ConfidentialContainer
}

// ContainerBox has the methods of package box that a container of a confidential pod needs.
type ContainerBox interface {
	Digest() string
	Take(spec *spec.Spec, digest string) error
	Listen(address string) (net.Listener, error)
	Process(id string) (*process.Handle, error)
	Start() (*process.Handle, error)
	Await() (*process.Handle, error)
	Begin(h *process.Handle, environment []string)
	Abandon(h *process.Handle, reason *process.ExitError)
	MainUser() (users.User, error)
}

// ConfidentialContainer is a container of a confidential pod.
type ConfidentialContainer interface {
	Confidential
	// TakeContainer takes a host's request for a container of the launch spec, once.
	TakeContainer(request []byte) (digest string, err error)
	// Leave is called when the container was removed.
	Leave() error
}

// Taken is how a launch spec is answered.
type Taken struct {
	SpecDigest [32]byte
	Instance   [16]byte
	Volumes    []Volume
}

// Volume is a sealed volume that the box has.
type Volume struct {
	Name string `json:"name"`
	// ID is in hexadecimal digits.
	ID string `json:"id"`
	// Created: this guest has made it, and no box has used it before.
	Created bool `json:"created"`
}

func (s *Server) takeLaunchSpec(body []byte) (reply, error) {
	taken, err := s.Confidential.Take(body)
	if err != nil {
		return reply{}, err
	}
	to := appendText([]byte(`{"specDigest":`), hex.EncodeToString(taken.SpecDigest[:]))
	to = appendText(append(to, `,"instance":`...), hex.EncodeToString(taken.Instance[:]))
	to = appendVolumes(to, taken.Volumes)
	return reply{200, append(to, '}')}, nil
}

// appendVolumes writes nothing for a box without any, as earlier agents did.
func appendVolumes(to []byte, volumes []Volume) []byte {
	if len(volumes) == 0 {
		return to
	}
	to = append(to, `,"volumes":`...)
	for index, v := range volumes {
		to = append(to, "[,"[min(index, 1)])
		to = appendText(append(to, `{"name":`...), v.Name)
		to = appendText(append(to, `,"id":`...), v.ID)
		to = append(strconv.AppendBool(append(to, `,"created":`...), v.Created), '}')
	}
	return append(to, ']')
}

func (s *Server) takeCertificates(body []byte, _ string) (reply, error) {
	s.Confidential.TakeCertificates(body)
	return nothing, nil
}

// putHostNetworks gives the box networks of the host's choice, as far as the launch spec permits.
// The cards of its guest are those that it was booted with.
func (s *Server) putHostNetworks(body []byte) (reply, error) {
	var host spec.Networks
	if err := strictjson.Decode(body, &host); err != nil {
		return reply{}, err
	}
	networks, err := s.Confidential.Spec().Networks(&host)
	if err != nil {
		return reply{}, err
	}
	return nothing, s.Box.PutNetworks(networks, true, true)
}

// secrets answers when the secrets have another version than the seen one.
func (s *Server) secrets(t stream.Stream, _ []byte, _ string) {
	seen, err := parseSeen(t.Head().Query)
	if err != nil {
		writeError(t, err)
		return
	}
	gone := make(chan struct{})
	t.OnEnd(func() { close(gone) })
	s.queue.after("", func() {
		go func() {
			status, err := s.Confidential.Secrets(gone, seen)
			if err != nil {
				writeError(t, err)
				return
			}
			writeJSON(t, reply{200, appendSecrets(make([]byte, 0, 512), status)})
		}()
	})
}

// parseSeen reads the one parameter, in its one spelling; without it nothing was seen.
func parseSeen(query string) (int64, error) {
	if query == "" {
		return -1, nil
	}
	text, ok := strings.CutPrefix(query, "seen=")
	seen, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || seen < 0 || strconv.FormatInt(seen, 10) != text {
		return 0, &Error{"invalid", "seen is not a number that is given once, and nothing else"}
	}
	return seen, nil
}

func appendSecrets(to []byte, status secrets.Status) []byte {
	to = strconv.AppendInt(append(to, `{"version":`...), status.Version, 10)
	to = appendText(append(to, `,"state":`...), string(status.State))
	to = append(to, `,"deadline":`...)
	if status.Deadline.IsZero() {
		to = append(to, "null"...)
	} else {
		to = appendText(to, status.Deadline.UTC().Format(time.RFC3339Nano))
	}
	to = append(to, `,"secrets":[`...)
	for index, secret := range status.Secrets {
		if index > 0 {
			to = append(to, ',')
		}
		to = appendText(append(to, `{"name":`...), secret.Name)
		to = append(strconv.AppendBool(append(to, `,"delivered":`...), secret.Delivered), '}')
	}
	return append(to, "]}"...)
}
