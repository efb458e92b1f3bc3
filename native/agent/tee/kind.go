package tee

import (
	"fmt"
	"slices"
	"strings"
)

const (
	parameter  = "a3s.tee="
	privileged = "a3s.privileged"
)

// KindOf reads what processor the guest has from its command line, which is measured: one word says
// it, once. Without it there is none, and with another one neither: nothing is fallen back to.
func KindOf(cmdline string) (Kind, error) {
	var found []string
	for word := range strings.FieldsSeq(cmdline) {
		if value, ok := strings.CutPrefix(word, parameter); ok {
			found = append(found, value)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the command line has %s %d times, not once", strings.TrimSuffix(parameter, "="), len(found))
	}
	switch kind := Kind(found[0]); kind {
	case SNP, Simulated:
		return kind, nil
	default:
		return "", fmt.Errorf("the command line has the unknown %s%q", parameter, found[0])
	}
}

// IsPrivileged reads from the command line whether the guest is for a privileged box. The word
// gives such guests a launch digest of their own, and so other keys of the processor than those of
// guests whose workload cannot ask for them.
func IsPrivileged(cmdline string) bool {
	return slices.Contains(strings.Fields(cmdline), privileged)
}
