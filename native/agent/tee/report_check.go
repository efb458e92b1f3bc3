package tee

import (
	"fmt"

	"a3s.dev/box/agent/snp"
)

// check makes sure that a processor's report matches the request. It does not authenticate the
// report: a guest cannot find out that way that its processor is not its own.
func check(report []byte, data [64]byte) error {
	parsed, err := snp.Parse(report)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReport, err)
	}
	if parsed.ReportData != data {
		return fmt.Errorf("%w: it is over other data", ErrReport)
	}
	return nil
}

// checkKey refuses the key that a processor without one returns (virtee/snpguest, issue 76).
func checkKey(key [32]byte) error {
	if key == [32]byte{} {
		return fmt.Errorf("%w: it is zero", ErrKey)
	}
	return nil
}
