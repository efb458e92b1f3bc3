//go:build guest

package secrets

import (
	"testing"

	"a3s.dev/box/agent/guesttest"
)

func TestMain(m *testing.M) {
	guesttest.Start("")
	guesttest.End(m.Run())
}
