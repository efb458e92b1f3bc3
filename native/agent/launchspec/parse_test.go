package launchspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/strictjson"
)

// vectors are the cases that relying parties are tested with as well.
const vectors = "../../../test/vectors/launch-spec"

type vector struct {
	Name     string `json:"name"`
	Comment  string `json:"comment"`
	Text     []byte `json:"text"`
	Digest   string `json:"digest"`
	Expected string `json:"expected"`
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 100 {
		t.Fatalf("%d vectors in %s", len(paths), vectors)
	}
	read := make([]vector, len(paths))
	for index, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &read[index]); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if read[index].Name != strings.TrimSuffix(filepath.Base(path), ".json") {
			t.Errorf("%s is named %s", path, read[index].Name)
		}
	}
	return read
}

func textOf(t testing.TB, name string) []byte {
	t.Helper()
	for _, v := range readVectors(t) {
		if v.Name == name {
			return v.Text
		}
	}
	t.Fatalf("no vector %s", name)
	return nil
}

// outcome is as the vectors word it.
func outcome(t testing.TB, text []byte) string {
	t.Helper()
	spec, err := Parse(text)
	if err == nil {
		return "accepted"
	}
	var refusal *strictjson.Error
	if !errors.As(err, &refusal) || spec != nil {
		t.Fatalf("got %v, %v", spec, err)
	}
	return "launch-spec-malformed"
}

func TestParseDecidesAsTheVectorsSay(t *testing.T) {
	for _, v := range readVectors(t) {
		if got := outcome(t, v.Text); got != v.Expected {
			_, err := Parse(v.Text)
			t.Errorf("%s: got %s, want %s (%s): %v", v.Name, got, v.Expected, v.Comment, err)
		}
	}
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	for name, want := range map[string]string{
		"directories-parent":    "directories: holds what is not a clean absolute path",
		"directories-bytes":     "directories: must be sorted, each once",
		"directories-none":      "directories: must be from 1 to 256",
		"layer-bytes-odd":       "rootfs.layers[0].bytes: must be a multiple of 4096",
		"device-rules-misc":     "confinement.deviceRules[1]: must open no device by which the box could reach its guest",
		"devices-processor":     "confinement.devices: must be of fuse and net/tun",
		"seccomp-missing":       "confinement.seccompProfile: is missing",
		"seccomp-notify":        "confinement.seccompProfile: holds what is not an action",
		"seccomp-decimal-zero":  "confinement.seccompProfile.rules[0].conditions: holds a number in another spelling",
		"changes-bytes-half":    "rootfs.changesBytes: must be at most half of resources.memoryBytes",
		"hosts-long6":           "hosts: holds an address in another spelling",
		"hosts-gateway":         "hosts: holds what is not an address",
		"hosts-unsorted":        "hosts: must be sorted by name",
		"resolver-empty":        "resolver: must say something",
		"resolver-search-empty": "resolver: has an empty list",
		"resolver-search-space": "resolver.search: holds what is not a domain",
		"ports":                 `unknown key "ports"`,
		"key-twice-other-value": `key "network" occurs twice`,
		"space":                 "is not in canonical form (RFC 8785)",
		"host-may-missing":      "hostMay: is missing",
		"utf8-surrogate":        "process.args[0]: is not UTF-8",
		"secret-env-digit":      "secrets[0].delivery.variable: is not the name of a variable",
	} {
		if _, err := Parse(textOf(t, name)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// What the schema of relying parties leaves to the agent, since only it has to know all names.
func TestParseRefusesNamesThatTheKernelDoesNotKnow(t *testing.T) {
	small := textOf(t, "small")
	for _, change := range [][2]string{
		{`"capabilities":[]`, `"capabilities":["CAP_MAGIC"]`},
		{`"SIGTERM"`, `"SIGMAGIC"`},
		{`"SIGTERM"`, `"SIGRTMIN+31"`},
	} {
		text := bytes.Replace(small, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(text, small) {
			t.Fatalf("%s is not there", change[0])
		}
		if got := outcome(t, text); got != "launch-spec-malformed" {
			t.Errorf("%s: %s", change[1], got)
		}
	}
}

// With any of these the workload could have the processor's reports of every purpose.
func TestParseRefusesCapabilitiesOverTheGuest(t *testing.T) {
	small := textOf(t, "small")
	for _, name := range []string{"CAP_BPF", "CAP_DAC_READ_SEARCH", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO"} {
		text := bytes.Replace(small, []byte(`"capabilities":[]`), []byte(`"capabilities":["CAP_CHOWN","`+name+`"]`), 1)
		want := "confinement.capabilities: holds " + name + ", which is good for the whole guest"
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// No rule may open the secure processor or the agent's port, whatever numbers the kernel has given
// them, and all rules that open neither are taken.
func TestParseRefusesRulesForWhatTheKernelNumbers(t *testing.T) {
	refused := func(major, minor int64, access string) bool {
		return !isWithinBox(spec.DeviceRule{Kind: spec.DeviceChar, Major: &major, Minor: &minor, Access: access})
	}
	for major := range int64(600) {
		for _, minor := range []int64{0, 1, 3, 5, 127, 128, 254, 255, 256, 1 << 20} {
			want := 234 <= major && major <= 254 || 384 <= major && major <= 511 || major == 1 && minor == 1 ||
				major == 10 && (minor < 128 || minor > 254)
			if refused(major, minor, "r") != want || refused(major, minor, "wm") != want || refused(major, minor, "m") {
				t.Errorf("%d:%d", major, minor)
			}
		}
	}
}

// Only the agent knows what a profile becomes.
func TestParseRefusesAProfileThatIsTooLongForTheKernel(t *testing.T) {
	rule := `{"action":{"kind":"errno","value":1},"conditions":[{"index":0,"op":"eq","value":"1","valueTwo":"0"}],"names":["mkdir"]}`
	text := bytes.Replace(textOf(t, "seccomp-own-least"), []byte(`"rules":[]`), []byte(`"rules":[`+rule+strings.Repeat(","+rule, 999)+`]`), 1)
	want := "confinement.seccompProfile: takes more than 4096 instructions, the kernel's limit"
	if _, err := Parse(text); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestParseIsBounded(t *testing.T) {
	text := append(textOf(t, "small"), bytes.Repeat([]byte{' '}, MaxBytes)...)
	if _, err := Parse(text); err == nil || err.Error() != "has more than 4194304 bytes" {
		t.Errorf("got %v", err)
	}
	small := string(textOf(t, "small"))
	many := strings.Replace(small, `"args":["/x"]`, `"args":["/x"`+strings.Repeat(`,""`, maxList)+`]`, 1)
	if _, err := Parse([]byte(many)); err == nil || err.Error() != "process.args: must be from 1 to 65536" {
		t.Errorf("got %v", err)
	}
	most := strings.Replace(small, `"args":["/x"]`, `"args":["/x"`+strings.Repeat(`,""`, maxList-1)+`]`, 1)
	if _, err := Parse([]byte(most)); err != nil {
		t.Error(err)
	}
}

func TestOneByteMoreOrLessIsAnotherSpecOrNone(t *testing.T) {
	text := textOf(t, "most")
	for index := range text {
		cut := append(bytes.Clone(text[:index]), text[index+1:]...)
		if spec, err := Parse(cut); err == nil && bytes.Equal(canonical(spec), text) {
			t.Errorf("without byte %d it is the same spec", index)
		}
		for _, c := range []byte(" \t\n0") {
			more := append(append(bytes.Clone(text[:index]), c), text[index:]...)
			if spec, err := Parse(more); err == nil && bytes.Equal(canonical(spec), text) {
				t.Errorf("with %q at %d it is the same spec", c, index)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		if len(v.Text) < 8<<10 {
			f.Add(v.Text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		given := bytes.Clone(text)
		if outcome(t, text) == "accepted" {
			spec, _ := Parse(text)
			if !bytes.Equal(canonical(spec), text) {
				t.Error("another text says the same")
			}
			// What package encoding/json, which admits more, reads from it is the same.
			var other Spec
			if err := json.Unmarshal(text, &other); err != nil || !bytes.Equal(canonical(&other), text) {
				t.Errorf("another reader reads something else: %v", err)
			}
		}
		if !bytes.Equal(text, given) {
			t.Error("the bytes were changed")
		}
	})
}
