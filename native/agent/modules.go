package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// modulesDir lies in the initrd; its file `order` lists the modules, one file name per line.
const modulesDir = "/modules"

// loadModules loads what the list names, in its order. Each must be there; one that is loaded already is fine.
func loadModules(dir string) error {
	list, err := os.ReadFile(filepath.Join(dir, "order"))
	if err != nil {
		return err
	}
	for name := range strings.Lines(string(list)) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if err := loadModule(dir, name); err != nil {
			return &stepError{"load module " + name, err}
		}
	}
	return nil
}

func loadModule(dir, name string) error {
	if name != filepath.Base(name) {
		return errors.New("is not a file name")
	}
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	err = linux.LoadModule(int(file.Fd()))
	if errors.Is(err, syscall.EEXIST) {
		err = nil
	}
	return errors.Join(err, file.Close())
}
