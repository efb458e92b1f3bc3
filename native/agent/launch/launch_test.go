package launch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/server"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/tee/teetest"
	"a3s.dev/box/agent/users"
)

// guest is a box that each test configures.
type guest struct {
	main      *process.Handle
	spec      *spec.Spec
	digest    string
	takes     int
	listening []string
	started   bool
	launched  chan []string
	abandoned chan *process.ExitError
	// refuse, noUser are what fails.
	refuse, noUser error
	// taking is called while the spec is taken.
	taking func() error
}

func (g *guest) Take(spec *spec.Spec, digest string) error {
	g.takes++
	g.spec, g.digest = spec, digest
	if g.taking != nil {
		return g.taking()
	}
	return g.refuse
}

func (g *guest) Listen(address string) (net.Listener, error) {
	g.listening = append(g.listening, address)
	return net.Listen("tcp4", "127.0.0.1:0")
}

func (g *guest) Process(string) (*process.Handle, error) { return g.main, nil }

func (g *guest) Start() (*process.Handle, error) {
	g.started = true
	return g.main, nil
}

func (g *guest) Await() (*process.Handle, error)                      { return g.main, nil }
func (g *guest) Begin(_ *process.Handle, environment []string)        { g.launched <- environment }
func (g *guest) Abandon(_ *process.Handle, reason *process.ExitError) { g.abandoned <- reason }
func (g *guest) MainUser() (users.User, error)                        { return users.User{UID: 7}, g.noUser }

// services is a server that serves until its listener is closed.
type services struct{ carried chan net.Conn }

func (s services) Serve(listener net.Listener) error {
	_, err := listener.Accept()
	return err
}

func (s services) ServeConn(conn net.Conn) error {
	s.carried <- conn
	return nil
}

// vector is the text of a launch spec that readers of all languages take.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../../test/vectors/launch-spec", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Text []byte }
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	return v.Text
}

// with is the text with one place of it written otherwise.
func with(t *testing.T, text []byte, from, to string) []byte {
	t.Helper()
	if bytes.Count(text, []byte(from)) != 1 {
		t.Fatalf("%s does not stand there once", from)
	}
	return bytes.Replace(text, []byte(from), []byte(to), 1)
}

type launched struct {
	*Launch
	box       *guest
	processor *teetest.Fake
	offered   *Born
	broker    Broker
	relay     *kbs.Relay
	carried   chan net.Conn
	later     chan func()
	ended     chan struct{}
}

// launchOf is the launch of a guest whose HOST_DATA is the digest of a text.
func launchOf(t *testing.T, text []byte) *launched {
	t.Helper()
	l := &launched{
		box:       &guest{main: process.New(box.MainID), launched: make(chan []string, 1), abandoned: make(chan *process.ExitError, 1)},
		processor: &teetest.Fake{HostData: sha256.Sum256(text)},
		carried:   make(chan net.Conn, 1), later: make(chan func(), 1), ended: make(chan struct{}),
	}
	l.Launch = &Launch{
		Box: l.box, Kind: tee.Simulated, Processor: l.processor,
		Offer: func(born *Born) (*Services, error) {
			l.offered = born
			return &Services{
				RATLS: services{l.carried}, Attachments: []spec.Attachment{{Mount: 9, Path: "/run/a3s"}},
				Broker: l.broker, Relay: l.relay,
				Sealer: func(binding [32]byte, policy string) sealedvolume.Sealer {
					report := &snp.Report{Measurement: [48]byte{1}}
					return sealing.Volumes(sealing.Config{Processor: l.processor, Simulated: true, Report: report}, binding, policy)
				},
			}, nil
		},
		End:    func() { close(l.ended) },
		Report: func(string) {},
		after:  func(wait time.Duration, do func()) { l.later <- do },
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func codeOf(err error) string {
	var refused *server.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestABoxIsMadeOfWhatTheReportCovers(t *testing.T) {
	text := vector(t, "small")
	l := launchOf(t, text)
	if l.Spec() != nil || l.TEE() != "simulated" {
		t.Errorf("got %v, %s", l.Spec(), l.TEE())
	}
	taken, err := l.Take(text)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(text)
	if taken.SpecDigest != digest || taken.Instance == [16]byte{} {
		t.Errorf("got %+v", taken)
	}
	if l.box.digest != "sha256:"+hex.EncodeToString(digest[:]) || l.box.spec.Rootfs.Layers[0].Verity == nil {
		t.Errorf("the box has %s, %+v", l.box.digest, l.box.spec)
	}
	if a := l.box.spec.Attachments; len(a) != 1 || a[0].Path != "/run/a3s" {
		t.Errorf("attached: %v", a)
	}
	if l.offered.Instance != taken.Instance || l.offered.SpecDigest != digest || !bytes.Equal(l.offered.SpecText, text) {
		t.Errorf("offered %+v", l.offered)
	}
	if asked := l.processor.Asked(); len(asked) != 1 || asked[0] == [64]byte{} {
		t.Errorf("asked %x", asked)
	}
	if len(l.box.listening) != 0 || l.Spec() == nil {
		t.Errorf("listens on %v", l.box.listening)
	}
}

func TestTheSameSpecOnceMoreChangesNothing(t *testing.T) {
	text := vector(t, "small")
	l := launchOf(t, text)
	first, err := l.Take(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Take(text)
	if err != nil || !reflect.DeepEqual(again, first) || l.box.takes != 1 {
		t.Errorf("got %+v, %v after %d", again, err, l.box.takes)
	}
	if _, err := l.Take(vector(t, "most")); !errors.Is(err, box.ErrSpecTaken) {
		t.Errorf("got %v", err)
	}
}

func TestOfSpecsThatComeAtOnceOneIsTaken(t *testing.T) {
	text, other := vector(t, "small"), vector(t, "most")
	l := launchOf(t, text)
	type answer struct {
		taken *server.Taken
		err   error
	}
	answers := make(chan answer)
	for index := range 8 {
		given := [][]byte{text, other}[index%2]
		go func() {
			taken, err := l.Take(given)
			answers <- answer{taken, err}
		}()
	}
	instances := map[[16]byte]int{}
	for range 8 {
		a := <-answers
		switch {
		case a.err == nil:
			instances[a.taken.Instance]++
		case codeOf(a.err) != "launch-spec-mismatch" && !errors.Is(a.err, box.ErrSpecTaken):
			t.Errorf("got %v", a.err)
		}
	}
	if len(instances) != 1 || instances[l.offered.Instance] != 4 || l.box.takes != 1 {
		t.Errorf("instances %v of %d boxes", instances, l.box.takes)
	}
}

func TestEveryGuestIsAnotherInstance(t *testing.T) {
	text := vector(t, "small")
	one, err := launchOf(t, text).Take(text)
	if err != nil {
		t.Fatal(err)
	}
	two, err := launchOf(t, text).Take(text)
	if err != nil || one.Instance == two.Instance {
		t.Errorf("got %x, %x, %v", one.Instance, two.Instance, err)
	}
}

func TestWhatTheReportDoesNotCoverIsRefused(t *testing.T) {
	text := vector(t, "small")
	for name, c := range map[string]struct {
		text []byte
		code string
	}{
		"another spec":  {with(t, text, `"hostMay":[]`, `"hostMay":["exec"]`), "launch-spec-mismatch"},
		"one space":     {with(t, text, `"hostMay":[]`, `"hostMay": []`), "launch-spec-malformed"},
		"a key twice":   {with(t, text, `"hostMay":[]`, `"hostMay":[],"hostMay":[]`), "launch-spec-malformed"},
		"a line end":    {append(bytes.Clone(text), '\n'), "launch-spec-malformed"},
		"another layer": {vector(t, "most"), "launch-spec-mismatch"},
		"nothing":       {nil, "launch-spec-malformed"},
	} {
		l := launchOf(t, text)
		if _, err := l.Take(c.text); codeOf(err) != c.code {
			t.Errorf("%s: got %v", name, err)
		}
		if l.box.takes != 0 || l.offered != nil || l.Spec() != nil {
			t.Errorf("%s: the box was made", name)
		}
	}
	// Malformed bytes whose digest HOST_DATA is: the host launched the guest for them.
	spaced := with(t, text, `"hostMay":[]`, `"hostMay": []`)
	if _, err := launchOf(t, spaced).Take(spaced); codeOf(err) != "launch-spec-malformed" {
		t.Errorf("got %v", err)
	}
}

func TestAMismatchNamesBothDigests(t *testing.T) {
	text := vector(t, "small")
	other := with(t, text, `"hostMay":[]`, `"hostMay":["exec"]`)
	_, err := launchOf(t, text).Take(other)
	for _, want := range [][]byte{text, other} {
		digest := sha256.Sum256(want)
		if err == nil || !strings.Contains(err.Error(), hex.EncodeToString(digest[:])) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAPrivilegedBoxNeedsItsOwnCommandLineAndHostData(t *testing.T) {
	plain, privileged := vector(t, "small"), vector(t, "privileged")
	marked := sha256.Sum256(privileged)
	copy(marked[:], "a3s-priv")
	take := func(text []byte, hostData [32]byte, measured bool) error {
		l := launchOf(t, text)
		l.Privileged, l.processor.HostData = measured, hostData
		_, err := l.Take(text)
		if (l.box.takes != 0) != (err == nil) {
			t.Errorf("%d boxes were made: %v", l.box.takes, err)
		}
		return err
	}
	if err := take(privileged, marked, true); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"the command line of another guest": take(privileged, marked, false),
		"the HOST_DATA of another box":      take(privileged, sha256.Sum256(privileged), true),
		"a box that is not privileged":      take(plain, sha256.Sum256(plain), true),
	} {
		if codeOf(err) != "launch-spec-mismatch" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// deaf answers every question with one report.
type deaf struct{ report tee.Report }

func (d deaf) Report([64]byte) (tee.Report, error)        { return d.report, nil }
func (d deaf) DeriveKey(tee.KeyRequest) ([32]byte, error) { return [32]byte{}, nil }

func TestAProcessorThatDoesNotAnswerIsNotBelieved(t *testing.T) {
	text := vector(t, "small")
	replayed, err := (&teetest.Fake{HostData: sha256.Sum256(text)}).Report([64]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	for name, processor := range map[string]tee.Processor{
		"silent": &teetest.Fake{Err: tee.ErrSilent}, "replayed": deaf{replayed}, "garbage": deaf{tee.Report{Report: []byte("x")}},
	} {
		l := launchOf(t, text)
		l.Processor = processor
		if _, err := l.Take(text); codeOf(err) != "tee-unavailable" || l.box.takes != 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestADiskThatIsAnotherHasItsCode(t *testing.T) {
	text := vector(t, "small")
	l := launchOf(t, text)
	l.box.refuse = errors.Join(errors.New("layer"), &dm.VerityError{Reason: "the disk has another root"})
	if _, err := l.Take(text); codeOf(err) != "verity-mismatch" || l.Spec() != nil {
		t.Errorf("got %v", err)
	}
	l = launchOf(t, text)
	l.box.refuse = &layers.DeviceError{Kind: "changes on", Name: "encrypted-disk", Cause: &layers.SizeError{Asked: 2, Room: 1}}
	if _, err := l.Take(text); codeOf(err) != "changes-too-small" || l.Spec() != nil {
		t.Errorf("got %v", err)
	}
	l = launchOf(t, text)
	l.box.refuse = errors.New("no disk")
	if _, err := l.Take(text); err == nil || codeOf(err) != "" || l.Spec() != nil {
		t.Errorf("got %v", err)
	}
}

func TestAGuestWithACardListens(t *testing.T) {
	text := with(t, vector(t, "small"), `"network":"none"`, `"network":"nic"`)
	l := launchOf(t, text)
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if len(l.box.listening) != 1 || l.box.listening[0] != ":"+strconv.Itoa(Port) {
		t.Errorf("listens on %v", l.box.listening)
	}
}

func TestOutputThatTheHostMayNotHaveIsDropped(t *testing.T) {
	for hostMay, kept := range map[string]bool{`[]`: false, `["exec","signals"]`: false, `["logs"]`: true, `["attach"]`: true} {
		text := with(t, vector(t, "small"), `"hostMay":[]`, `"hostMay":`+hostMay)
		l := launchOf(t, text)
		if _, err := l.Take(text); err != nil {
			t.Fatal(err)
		}
		l.box.main.Output.Write(1, []byte("x"))
		if written, _ := l.box.main.Output.Position(); (written == 1) != kept {
			t.Errorf("%s: %d bytes are there", hostMay, written)
		}
	}
}

func TestConnectionsAreCarriedOnceThereIsABox(t *testing.T) {
	text := vector(t, "small")
	l := launchOf(t, text)
	ours, theirs := net.Pipe()
	defer ours.Close()
	if err := l.ServeRATLS(theirs); !errors.Is(err, box.ErrSpecMissing) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Secrets(nil, -1); !errors.Is(err, box.ErrSpecMissing) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if err := l.ServeRATLS(theirs); err != nil || <-l.carried != theirs {
		t.Errorf("got %v", err)
	}
}

func TestCertificatesOfTheHostAreHandedOn(t *testing.T) {
	text := vector(t, "small")
	l := launchOf(t, text)
	table := []byte("first")
	l.TakeCertificates(table)
	copy(table, "other")
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if got := l.offered.HostCertificates(); string(got) != "first" {
		t.Errorf("got %q", got)
	}
	l.TakeCertificates([]byte("second"))
	if got := l.offered.HostCertificates(); string(got) != "second" {
		t.Errorf("got %q", got)
	}
}
