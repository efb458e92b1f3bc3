package cgroup

import (
	"errors"
	"os"
	"testing"
)

func TestAGroupIsRemovedWithThoseThatTheBoxHasMadeBelowIt(t *testing.T) {
	dir := t.TempDir() + "/container-a"
	if err := os.MkdirAll(dir+"/init/deep", 0o755); err != nil {
		t.Fatal(err)
	}
	c := &Cgroup{Dir: dir, Procs: -1, Namespace: -1}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := c.Remove(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestAGroupThatCannotBeMadeSaysWhy(t *testing.T) {
	c := &Cgroup{Dir: t.TempDir() + "/missing"}
	if _, err := c.NewContainer("a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
