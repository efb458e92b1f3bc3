//go:build guest

package workload

import (
	"testing"

	"a3s.dev/box/agent/guesttest"
)

func TestMain(m *testing.M) {
	guesttest.Start("")
	guesttest.End(m.Run())
}
