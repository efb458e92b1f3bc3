package boot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryModuleThatIsListedMustBeThere(t *testing.T) {
	for name, c := range map[string]struct{ order, message string }{
		"a missing list":              {"", "order: no such file or directory"},
		"a missing module":            {"gone.ko\n", "open module gone.ko: open "},
		"a path":                      {"../x.ko\n", "open module ../x.ko: is not a file name"},
		"a file that is not a module": {"\nbad.ko\n", "load module bad.ko: finit_module: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "bad.ko"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if c.order != "" {
				if err := os.WriteFile(filepath.Join(dir, "order"), []byte(c.order), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			modules, err := openModules(dir, "order")
			if err == nil {
				err = loadModules(modules)
			}
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("got %v, want %q", err, c.message)
			}
		})
	}
}

func TestAFailingStepNamesItself(t *testing.T) {
	err := createAll([]creator{directory{t.TempDir()}, setting{"/nonexistent/x", "1"}, setting{"/nonexistent/y", "1"}})
	if err == nil || !strings.HasPrefix(err.Error(), "set /nonexistent/x to 1: ") {
		t.Errorf("got %v", err)
	}
}

func TestModulesAreOpenedByTheirUse(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"order": "a.ko\n", "order.nic": "b.ko\n", "order.changes": "a.ko\nb.ko\n", "order.empty": "", "a.ko": "x", "b.ko": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	uses, err := openUses(dir)
	if err != nil || len(uses) != 3 || len(uses["nic"]) != 1 || len(uses["changes"]) != 2 || len(uses["empty"]) != 0 {
		t.Fatalf("got %v, %v", uses, err)
	}
	g := &Guest{uses: uses}
	if err := g.Load("empty"); err != nil {
		t.Error(err)
	}
	for _, use := range []string{"empty", "snp"} {
		if err := g.Load(use); err == nil || !strings.HasPrefix(err.Error(), "load modules for "+use) {
			t.Errorf("%s: got %v", use, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "order.gone"), []byte("gone.ko\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openUses(dir); err == nil {
		t.Error("a module that is not there was opened")
	}
}
