package launch

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/server"
	"a3s.dev/box/agent/users"
)

// shared is a vector that readers of all languages take.
type shared struct {
	Text    []byte          `json:"text"`
	Request json.RawMessage `json:"request"`
}

func sharedVector(t *testing.T, directory, name string) shared {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../../test/vectors", directory, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var v shared
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// contained is a container's box that each test configures.
type contained struct{ guest }

func (c *contained) Digest() string { return c.digest }

func newContained() *contained {
	return &contained{guest{main: process.New(box.MainID), launched: make(chan []string, 1), abandoned: make(chan *process.ExitError, 1)}}
}

// closed counts what containers have let go of.
type closed struct{ count int }

// podOf is the launch of a pod, which has taken its launch spec.
func podOf(t *testing.T, text []byte) (*launched, *closed) {
	t.Helper()
	l, gone := launchOf(t, text), &closed{}
	offer := l.Offer
	l.Offer = func(born *Born) (*Services, error) {
		services, err := offer(born)
		services.Attachments = nil
		services.ForContainer = func() ([]spec.Attachment, func() error, error) {
			return []spec.Attachment{{Mount: 9, Path: "/run/a3s"}}, func() error { gone.count++; return nil }, nil
		}
		return services, err
	}
	l.FindDisks = func() error { return nil }
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	return l, gone
}

func fullPod(t *testing.T) []byte { return sharedVector(t, "pod-launch-spec", "full").Text }

// quietPod has neither secrets nor a broker.
func quietPod(t *testing.T) []byte { return sharedVector(t, "pod-launch-spec", "small").Text }

// quiet is the request for its one container.
func quiet(t *testing.T) []byte {
	t.Helper()
	return bytes.Replace(sharedVector(t, "container-request", "least").Request, []byte(`"db"`), []byte(`"app"`), 1)
}

func TestAPodIsMadeOfWhatTheReportCovers(t *testing.T) {
	l, _ := podOf(t, quietPod(t))
	if !l.box.spec.Pod || len(l.box.spec.Attachments) != 0 || !l.Spec().IsPod() {
		t.Errorf("got %+v", l.box.spec)
	}
	text := quietPod(t)
	other := launchOf(t, append(bytes.Clone(text), ' '))
	if _, err := other.Take(text); codeOf(err) != "launch-spec-mismatch" || other.box.takes != 0 {
		t.Errorf("got %v", err)
	}
}

func TestAContainerIsMadeOfWhatThePodNames(t *testing.T) {
	l, _ := podOf(t, fullPod(t))
	b := newContained()
	request := sharedVector(t, "container-request", "env-host").Request
	digest, err := l.Container(b).TakeContainer(request)
	if err != nil || digest != b.digest || digest == "" {
		t.Fatalf("got %q, %v", digest, err)
	}
	if !slices.Equal(b.spec.Process.Args, []string{"/bin/web", "--port", "80"}) || b.spec.FindDisks == nil {
		t.Errorf("got %+v", b.spec)
	}
	var paths []string
	for _, attachment := range b.spec.Attachments {
		paths = append(paths, attachment.Path)
	}
	if !slices.Equal(paths, []string{"/run/a3s", "/run/secrets"}) {
		t.Errorf("attached: %q", paths)
	}
	for _, layer := range b.spec.Rootfs.Layers {
		if layer.Verity.Device != "k1-"+layer.Serial {
			t.Errorf("the device %q", layer.Verity.Device)
		}
	}
}

// The third container, changed arguments, another image: nothing is made of any of them.
func TestAContainerThatThePodDoesNotNameIsRefused(t *testing.T) {
	l, _ := podOf(t, fullPod(t))
	for name, rule := range map[string]string{
		"unnamed": "containers", "args-other": "containers.process.args", "env-more": "containers.process.env",
		"image": "containers.image", "mounts-token": "containers.ignoredMounts",
	} {
		b := newContained()
		digest, err := l.Container(b).TakeContainer(sharedVector(t, "container-request", name).Request)
		var refused *launchspec.ContainerError
		if !errors.As(err, &refused) || refused.Rule != rule || digest != "" || b.takes != 0 {
			t.Errorf("%s: got %q, %v", name, digest, err)
		}
	}
}

func TestAContainerOfThePodIsThereOnce(t *testing.T) {
	l, gone := podOf(t, quietPod(t))
	first, second := newContained(), newContained()
	one, two := l.Container(first), l.Container(second)
	if _, err := one.TakeContainer(quiet(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := one.TakeContainer(quiet(t)); err != nil || first.takes != 1 {
		t.Errorf("once more: got %v after %d", err, first.takes)
	}
	if _, err := two.TakeContainer(quiet(t)); codeOf(err) != "conflict" || second.takes != 0 {
		t.Errorf("got %v", err)
	}
	// The refused one leaves the other's name alone.
	if err := two.Leave(); err != nil || gone.count != 0 {
		t.Errorf("got %v, %d", err, gone.count)
	}
	if _, err := l.Container(second).TakeContainer(quiet(t)); codeOf(err) != "conflict" {
		t.Errorf("got %v", err)
	}
	if err := one.Leave(); err != nil || gone.count != 1 {
		t.Errorf("got %v, %d", err, gone.count)
	}
	if _, err := l.Container(second).TakeContainer(quiet(t)); err != nil || second.spec.Rootfs.Layers[0].Verity.Device != "k2-c0-l0" {
		t.Errorf("got %v", err)
	}
}

// The host may ask for another container under the id of one that runs.
func TestAContainerOfThePodDoesNotBecomeAnother(t *testing.T) {
	l, gone := podOf(t, fullPod(t))
	web, db := sharedVector(t, "container-request", "exact").Request, sharedVector(t, "container-request", "least").Request
	b := newContained()
	c := l.Container(b)
	if _, err := c.TakeContainer(web); err != nil {
		t.Fatal(err)
	}
	made, files := b.spec, c.(*container).files
	if _, err := c.TakeContainer(db); codeOf(err) != "conflict" || b.takes != 1 || b.spec != made {
		t.Errorf("got %v after %d", err, b.takes)
	}
	if c.Spec().StopSignal != "SIGQUIT" || c.(*container).files != files || files == nil {
		t.Errorf("it became another: %s, %v", c.Spec().StopSignal, c.(*container).files)
	}
	// The name that it did not get is free.
	if _, err := l.Container(newContained()).TakeContainer(db); err != nil {
		t.Errorf("got %v", err)
	}
	if err := c.Leave(); err != nil || gone.count != 1 {
		t.Errorf("got %v, %d", err, gone.count)
	}
	if _, err := l.Container(newContained()).TakeContainer(web); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsMadeForAContainerThatWasRemoved(t *testing.T) {
	l, gone := podOf(t, quietPod(t))
	b := newContained()
	c := l.Container(b)
	if err := c.Leave(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TakeContainer(quiet(t)); !errors.Is(err, box.ErrNoContainer) || b.takes != 0 || gone.count != 0 {
		t.Errorf("got %v", err)
	}
	if _, err := l.Container(newContained()).TakeContainer(quiet(t)); err != nil {
		t.Errorf("its name is not free: %v", err)
	}
}

func TestSecretsThatComeAfterAContainerWasRemovedGoNowhere(t *testing.T) {
	const file = `"secrets":[{"allowAnyInjector":true,"delivery":{"kind":"file"},"injectors":[],"name":"token"}]`
	l, _ := podOf(t, with(t, quietPod(t), `"secrets":[]`, file))
	b := newContained()
	c := l.Container(b)
	if _, err := c.TakeContainer(quiet(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// Its process has not ended as far as the one who waits knows.
	if err := c.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := l.offered.Secrets.Deliver("token", []byte("1234")); err != nil {
		t.Fatal(err)
	}
	if reason := <-b.abandoned; reason.Code == "" {
		t.Errorf("got %+v", reason)
	}
}

func TestAContainerNeedsAPod(t *testing.T) {
	l := launchOf(t, vector(t, "small"))
	if _, err := l.Container(newContained()).TakeContainer(quiet(t)); !errors.Is(err, box.ErrSpecMissing) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Take(vector(t, "small")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Container(newContained()).TakeContainer(quiet(t)); !errors.Is(err, box.ErrNotPod) {
		t.Errorf("got %v", err)
	}
}

func TestAHostMayStopAContainerByItsOwnSignal(t *testing.T) {
	l, _ := podOf(t, fullPod(t))
	c := l.Container(newContained())
	if c.Spec().StopSignal != "" {
		t.Error("it has a signal before it is one of the pod's")
	}
	if _, err := c.TakeContainer(sharedVector(t, "container-request", "exact").Request); err != nil {
		t.Fatal(err)
	}
	if c.Spec().StopSignal != "SIGQUIT" || l.Spec().StopSignal != "" {
		t.Errorf("got %s", c.Spec().StopSignal)
	}
}

func TestAContainerWithoutSecretsStartsAtOnce(t *testing.T) {
	l, _ := podOf(t, quietPod(t))
	b := newContained()
	c := l.Container(b)
	if _, err := c.TakeContainer(quiet(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(); err != nil || !b.started {
		t.Errorf("got %v", err)
	}
}

func TestEveryContainerHasTheSecretsOfThePodAndAgainAfterARestart(t *testing.T) {
	text := with(t, quietPod(t), `"secrets":[]`, envSecret)
	l, _ := podOf(t, text)
	start := func() (server.ConfidentialContainer, *contained) {
		b := newContained()
		c := l.Container(b)
		if _, err := c.TakeContainer(quiet(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Start(); err != nil || b.started {
			t.Fatalf("got %v", err)
		}
		return c, b
	}
	c, b := start()
	if err := l.offered.Secrets.Deliver("pin", []byte("0000")); err != nil {
		t.Fatal(err)
	}
	if environment := <-b.launched; !slices.Equal(environment, []string{"PIN=0000"}) {
		t.Errorf("got %v", environment)
	}
	if err := c.Leave(); err != nil {
		t.Fatal(err)
	}
	_, b = start()
	if environment := <-b.launched; !slices.Equal(environment, []string{"PIN=0000"}) {
		t.Errorf("after a restart: got %v", environment)
	}
	// The end of the guest is the end of them.
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.offered.Secrets.Share(nil, users.User{}, []string{"pin"}); err == nil {
		t.Error("they are there")
	}
}

func TestAPodWhoseSecretsDoNotComeEnds(t *testing.T) {
	text := with(t, quietPod(t), `"secrets":[]`, envSecret)
	l, _ := podOf(t, text)
	b := newContained()
	c := l.Container(b)
	if _, err := c.TakeContainer(quiet(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(); err != nil {
		t.Fatal(err)
	}
	l.offered.Secrets.Refuse()
	if reason := <-b.abandoned; reason.Code != process.SecretsDeadline {
		t.Errorf("got %+v", reason)
	}
	(<-l.later)()
	<-l.ended
}
