package sandbox

import (
	"regexp"
	"testing"
)

func TestBootIDsAreRandomUUIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		id, err := newBootID()
		if err != nil || seen[id] || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Fatalf("got %q, %v", id, err)
		}
		seen[id] = true
	}
}

func TestAMACAddressIsParsed(t *testing.T) {
	if got := parseMAC("02:0a:ff:00:10:99"); got != [6]byte{2, 10, 255, 0, 16, 153} {
		t.Errorf("got %v", got)
	}
}
