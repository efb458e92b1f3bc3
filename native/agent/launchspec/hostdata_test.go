package launchspec

import (
	"bytes"
	"testing"
)

func TestHostDataOfAPrivilegedBoxSaysSo(t *testing.T) {
	yes := true
	plain, privileged := &Spec{}, &Spec{Confinement: Confinement{Privileged: &yes}}
	digest := [32]byte(bytes.Repeat([]byte{0xab}, 32))
	if got, ok := plain.HostData(digest); !ok || got != digest {
		t.Errorf("got %x, %v", got, ok)
	}
	got, ok := privileged.HostData(digest)
	if want := append([]byte("a3s-priv"), digest[8:]...); !ok || !bytes.Equal(got[:], want) {
		t.Errorf("got %x, %v", got, ok)
	}
	if _, ok := plain.HostData(got); ok {
		t.Error("a digest that begins as that of a privileged box is taken for another one")
	}
}
