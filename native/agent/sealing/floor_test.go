package sealing

import (
	"errors"
	"testing"

	"a3s.dev/box/agent/jsonapi"
)

func TestWhatIsBelowTheFloorIsNotOpened(t *testing.T) {
	data := sealed(t, guestOf(t, nil), exact())
	_, reference, err := guestOf(t, nil).Derive(exact())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		svn  int64
		tcb  string
		want *jsonapi.Error
	}{
		"its own":                        {5, "0900000000000004", nil},
		"none":                           {0, "0000000000000000", nil},
		"a higher SVN":                   {6, "0000000000000000", ErrBelowSVN},
		"a higher first part":            {5, "0a00000000000004", ErrBelowTCB},
		"a higher last part":             {5, "0900000000000005", ErrBelowTCB},
		"a higher part below a lower":    {5, "0800000000000005", ErrBelowTCB},
		"a part that the other does not": {5, "0001000000000000", ErrBelowTCB},
	} {
		floor, err := ParseFloor(&c.svn, &c.tcb)
		if err != nil {
			t.Fatal(err)
		}
		caller := guestOf(t, nil).AtLeast(floor)
		_, opened := caller.Unseal(data, "db/key")
		_, derived := caller.Again(reference, "db/key")
		for _, err := range []error{opened, derived} {
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
	}
	for _, tcb := range []string{"", "09", "090000000000000g", "0A00000000000004", "090000000000000400"} {
		if _, err := ParseFloor(nil, &tcb); !errors.Is(err, ErrMinimumTCB) {
			t.Errorf("%q: got %v", tcb, err)
		}
	}
}
