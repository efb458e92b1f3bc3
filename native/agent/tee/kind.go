package tee

import (
	"fmt"
	"strings"
)

const parameter = "a3s.tee="

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
