package launch

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"testing"

	"a3s.dev/box/agent/server"
)

// apart is a pod of which app gets the variable, web the file, and zoo both.
func apart(t *testing.T) *launched {
	l, _ := podOf(t, sharedVector(t, "pod-launch-spec", "container-secrets-two-containers").Text)
	return l
}

// startContainer starts a container of the launch spec, which waits for the secrets of the pod.
func startContainer(t *testing.T, l *launched, name string) (server.ConfidentialContainer, *contained) {
	t.Helper()
	request := bytes.Replace(sharedVector(t, "container-request", "least").Request, []byte(`"db"`), []byte(strconv.Quote(name)), 1)
	b := newContained()
	c := l.Container(b)
	if _, err := c.TakeContainer(request); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, b
}

// expectSecrets compares what a main process was started with, as variables and as files. There is
// nothing at /run/secrets of a container that gets no file.
func expectSecrets(t *testing.T, c server.ConfidentialContainer, b *contained, environment, files []string) {
	t.Helper()
	if got := <-b.launched; !slices.Equal(got, environment) {
		t.Errorf("got the variables %q, want %q", got, environment)
	}
	var paths []string
	for _, attachment := range b.spec.Attachments {
		paths = append(paths, attachment.Path)
	}
	if slices.Contains(paths, "/run/secrets") != (files != nil) {
		t.Errorf("attached: %q", paths)
	}
	if files == nil {
		return
	}
	entries, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(c.(*container).files.Mount()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if !slices.Equal(names, files) {
		t.Errorf("got the files %q, want %q", names, files)
	}
}

func TestAContainerGetsTheSecretsThatItsListNamesAndNoOther(t *testing.T) {
	l := apart(t)
	app, appBox := startContainer(t, l, "app")
	web, webBox := startContainer(t, l, "web")
	// Injected while they wait, the one of the other container too.
	for name, value := range map[string]string{"pin": "0000", "token": "1234"} {
		if len(appBox.launched) > 0 || len(webBox.launched) > 0 {
			t.Error("a container started before all secrets of the pod were there")
		}
		if err := l.offered.Secrets.Deliver(name, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	expectSecrets(t, app, appBox, []string{"PIN=0000"}, nil)
	expectSecrets(t, web, webBox, nil, []string{"token"})
	// One that starts later, and one without a list.
	zoo, zooBox := startContainer(t, l, "zoo")
	expectSecrets(t, zoo, zooBox, []string{"PIN=0000"}, []string{"token"})
	for _, c := range []server.ConfidentialContainer{app, web, zoo} {
		if err := c.Leave(); err != nil {
			t.Fatal(err)
		}
	}
	app, appBox = startContainer(t, l, "app")
	expectSecrets(t, app, appBox, []string{"PIN=0000"}, nil)
	web, webBox = startContainer(t, l, "web")
	expectSecrets(t, web, webBox, nil, []string{"token"})
}

func TestAContainerWithAnEmptyListGetsNoSecretAndWaitsAllTheSame(t *testing.T) {
	l, _ := podOf(t, sharedVector(t, "pod-launch-spec", "container-secrets-empty").Text)
	c, b := startContainer(t, l, "app")
	if b.started || len(b.launched) > 0 {
		t.Error("it did not wait")
	}
	for _, name := range []string{"pin", "token"} {
		if err := l.offered.Secrets.Deliver(name, []byte("0000")); err != nil {
			t.Fatal(err)
		}
	}
	expectSecrets(t, c, b, nil, nil)
}

// What runs as a container that gets little does not become one that gets more.
func TestAContainerDoesNotTakeTheSecretsOfAnother(t *testing.T) {
	l := apart(t)
	app, _ := startContainer(t, l, "app")
	request := bytes.Replace(sharedVector(t, "container-request", "least").Request, []byte(`"db"`), []byte(`"web"`), 1)
	if _, err := app.TakeContainer(request); codeOf(err) != "conflict" {
		t.Errorf("got %v", err)
	}
	own := app.(*container)
	if own.files != nil || len(own.view.Secrets) != 1 || own.view.Secrets[0].Name != "pin" {
		t.Errorf("it has %+v", own.view.Secrets)
	}
	if names := len(l.Spec().Secrets); names != 2 {
		t.Errorf("the pod has %d", names)
	}
}
