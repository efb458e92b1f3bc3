package launchspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/strictjson"
)

const (
	podVectors     = "../../../test/vectors/pod-launch-spec"
	requestVectors = "../../../test/vectors/container-request"
)

// readAll reads the vectors of a directory, of which there are at least so many.
func readAll[T any](t testing.TB, directory string, least int) map[string]T {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil || len(paths) < least {
		t.Fatalf("%d vectors in %s: %v", len(paths), directory, err)
	}
	read := map[string]T{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var v T
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		read[strings.TrimSuffix(filepath.Base(path), ".json")] = v
	}
	return read
}

func TestParseDecidesAboutPodsAsTheVectorsSay(t *testing.T) {
	for name, v := range readAll[vector](t, podVectors, 80) {
		if v.Name != name {
			t.Errorf("%s is named %s", name, v.Name)
		}
		if got := outcome(t, v.Text); got != v.Expected {
			_, err := Parse(v.Text)
			t.Errorf("%s: got %s, want %s (%s): %v", v.Name, got, v.Expected, v.Comment, err)
		}
	}
}

func TestParseNamesWhatIsWrongOfAPod(t *testing.T) {
	all := readAll[vector](t, podVectors, 80)
	for name, want := range map[string]string{
		"containers-unsorted":         "containers: must be sorted by name, each once",
		"containers-none":             "containers: must be from 1 to 64",
		"name-capital":                "containers[0].name: is not the name of a container",
		"encrypted-disk":              "containers[0].rootfs.changes: must be memory in a pod",
		"privileged":                  "containers[0].confinement.privileged: does not belong to a pod",
		"capability-of-guest":         "containers[0].confinement.capabilities: holds CAP_SYS_ADMIN, which is good for the whole guest",
		"env-twice":                   "containers[0].process.env: has a variable twice",
		"host-env-given":              "containers[0].hostEnv: holds a variable that has a value",
		"secret-env-of-host":          "containers[0].hostEnv: holds a variable that has a value",
		"secret-env-given":            "containers[0].process.env: has the variable of a secret",
		"secret-refresh":              "secrets[0].refresh: does not belong to a pod",
		"ignored-root":                "containers[0].ignoredMounts: holds what is not a clean absolute path",
		"seccomp-missing":             "containers[0].confinement.seccompProfile: is missing",
		"space":                       "is not in canonical form (RFC 8785)",
		"container-secrets-twice":     "containers[0].secrets: must be sorted, each once",
		"container-secrets-unsorted":  "containers[0].secrets: must be sorted, each once",
		"container-secrets-unknown":   "containers[0].secrets: holds what is not the name of a secret of the pod",
		"container-secrets-65":        "containers[0].secrets: has too many entries",
		"container-secrets-env-taken": "containers[0].process.env: has the variable of a secret",
		"groups-policy-unknown":       "containers[0].confinement.groupsPolicy: must be merge or strict",
	} {
		if _, err := Parse(all[name].Text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// A box has no such policy: its launch spec says what Docker does.
func TestParseRefusesAGroupsPolicyOfABox(t *testing.T) {
	text := bytes.Replace(textOf(t, "small"), []byte(`{"capabilities":[],`), []byte(`{"capabilities":[],"groupsPolicy":"merge",`), 1)
	want := "confinement.groupsPolicy: belongs to containers of a pod"
	if _, err := Parse(text); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

type requestVector struct {
	Name      string          `json:"name"`
	Request   json.RawMessage `json:"request"`
	Expected  string          `json:"expected"`
	ChosenEnv []string        `json:"chosenEnv"`
}

func fullPod(t testing.TB) *Spec {
	t.Helper()
	s, err := Parse(readAll[vector](t, podVectors, 80)["full"].Text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestForContainerDecidesAsTheVectorsSay(t *testing.T) {
	s := fullPod(t)
	for name, v := range readAll[requestVector](t, requestVectors, 45) {
		container, made, err := s.ForContainer(v.Request)
		got := "permitted"
		var refused *ContainerError
		switch {
		case errors.As(err, &refused):
			got = refused.Rule
		case err != nil:
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got != v.Expected {
			t.Errorf("%s: got %s, want %s: %v", name, got, v.Expected, err)
			continue
		}
		if err != nil {
			if made != nil || container != "" {
				t.Errorf("%s: refused, and made", name)
			}
			continue
		}
		_, own := s.find(container)
		if want := append(slices.Clone(own.Process.Env), v.ChosenEnv...); !slices.Equal(made.Process.Env, want) {
			t.Errorf("%s: got %q, want %q", name, made.Process.Env, want)
		}
	}
}

func TestForContainerRefusesWhatIsNoRequest(t *testing.T) {
	s := fullPod(t)
	exact := readAll[requestVector](t, requestVectors, 45)["exact"].Request
	for what, text := range map[string][]byte{
		"another key":  bytes.Replace(exact, []byte(`"container":`), []byte(`"disks":"x","container":`), 1),
		"a schema":     bytes.Replace(exact, []byte(`container-request/v1`), []byte(`container-request/v2`), 1),
		"a key twice":  bytes.Replace(exact, []byte(`"container":`), []byte(`"container":"db","container":`), 1),
		"no key":       bytes.Replace(exact, []byte(`"stopSignal": "SIGQUIT",`), nil, 1),
		"a second one": append(bytes.Clone(exact), exact...),
	} {
		if bytes.Equal(text, exact) {
			t.Fatalf("%s: the request is the same", what)
		}
		_, made, err := s.ForContainer(text)
		var wrong *strictjson.Error
		if made != nil || !errors.As(err, &wrong) {
			t.Errorf("%s: got %v, %v", what, made, err)
		}
	}
}

func TestAContainerIsWhatTheLaunchSpecSays(t *testing.T) {
	s := fullPod(t)
	_, made, err := s.ForContainer(readAll[requestVector](t, requestVectors, 45)["env-host"].Request)
	if err != nil {
		t.Fatal(err)
	}
	var serials []string
	for _, layer := range made.Rootfs.Layers {
		serials = append(serials, layer.Serial)
		if layer.Verity == nil {
			t.Errorf("%s is not checked", layer.Serial)
		}
	}
	if !slices.Equal(serials, []string{"c1-l0", "c1-l1"}) {
		t.Errorf("got the disks %q", serials)
	}
	if err := made.CheckIntegrity(); err != nil {
		t.Error(err)
	}
	if made.Rootfs.Changes.Kind != spec.ChangesMemory || *made.Rootfs.Changes.Bytes != 33554432 || !made.Rootfs.Readonly {
		t.Errorf("got the root %+v", made.Rootfs)
	}
	if made.Hostname != "pod" || made.Network.Kind != spec.NetworkNIC || (*made.Hosts)[0].Name != "db" || *made.Confinement.GroupsPolicy != "strict" {
		t.Errorf("got %+v", made)
	}
	for _, path := range kernelPaths {
		if !slices.Contains(made.Confinement.ReadonlyPaths, path) {
			t.Errorf("%s can be written", path)
		}
	}
	if s.OfContainer("web").StopSignal != "SIGQUIT" || s.OfContainer("db").StopSignal != "SIGTERM" || s.StopSignal != "" {
		t.Error("another stop signal")
	}
}

func TestThePodIsWhatContainersHaveInCommon(t *testing.T) {
	pod := fullPod(t).Box()
	if !pod.Pod || pod.Hostname != "pod" || *pod.ShmBytes != 1048576 || len(pod.Rootfs.Layers) != 0 || *pod.Resources.MemoryBytes != 536870912 {
		t.Errorf("got %+v", pod)
	}
	// Its initrd has no drivers for what plain pods may be given later.
	if uses := pod.Uses(); !slices.Equal(uses, []string{spec.UseNIC}) {
		t.Errorf("got the drivers %q", uses)
	}
	pod.Network.Kind = spec.NetworkNone
	if uses := pod.Uses(); uses != nil {
		t.Errorf("got the drivers %q", uses)
	}
}

func FuzzForContainer(f *testing.F) {
	s := fullPod(f)
	for _, v := range readAll[requestVector](f, requestVectors, 45) {
		f.Add([]byte(v.Request))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		name, made, err := s.ForContainer(request)
		if err != nil {
			return
		}
		_, own := s.find(name)
		var chosen []string
		for _, entry := range made.Process.Env {
			if !slices.Contains(own.Process.Env, entry) {
				chosen = append(chosen, nameOf(entry))
			}
		}
		for _, variable := range chosen {
			if !slices.Contains(listOf(own.HostEnv), variable) {
				t.Errorf("the host chose %s", variable)
			}
		}
		if !slices.Equal(made.Process.Args, own.Process.Args) {
			t.Error("other arguments")
		}
	})
}
