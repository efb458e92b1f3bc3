package sandbox

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What the guest is prepared for is what the host asks for: otherwise it is right, and slow.
func TestAGuestIsPreparedForWhatTheHostAsksFor(t *testing.T) {
	source := func(path string) string {
		text, err := os.ReadFile(filepath.Join("../../../../src", path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	confinement := source("boxes/spec/confinement/confinement.ts")
	for field, want := range map[string][]string{
		"capabilities": ExpectedCapabilities, "maskedPaths": ExpectedProtection.Masked, "readonlyPaths": ExpectedProtection.Readonly,
	} {
		list := regexp.MustCompile(`(?s)` + field + `: \[(.*?)\]`).FindStringSubmatch(confinement)
		if list == nil {
			t.Fatalf("%s is not in the source", field)
		}
		var got []string
		for _, entry := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(list[1], -1) {
			got = append(got, entry[1])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the host asks for %q, and the guest is prepared for %q", field, got, want)
		}
	}
	network := strings.ReplaceAll(source("engine/network.ts"), "_", "")
	for field, want := range map[string]string{
		"address": "'" + expectedAddress + "'", "gateway": "'" + expectedGateway + "'", "nameserver": "'" + expectedNameservers[0] + "'",
		"prefixLength": strconv.FormatInt(expectedPrefixLength, 10), "mtu": strconv.FormatInt(expectedMTU, 10),
	} {
		if !strings.Contains(network, field+": "+want+",") {
			t.Errorf("%s: the host does not ask for %s", field, want)
		}
	}
	if !strings.Contains(source("engine/vm/slots.ts"), "changes: '"+expectedSerial+"'") {
		t.Errorf("the writable layer is not %q", expectedSerial)
	}
}
