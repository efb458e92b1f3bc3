package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// modulesDir lies in the initrd. Its file `order` lists the modules that every box needs, one file name per line; `order.nic` those that
// a network device needs besides.
const modulesDir = "/modules"

// module is the open file of a kernel module.
type module struct {
	name string
	file *os.File
}

// openModules opens what a list names, in its order. Each must be there.
func openModules(dir, list string) ([]module, error) {
	names, err := os.ReadFile(filepath.Join(dir, list))
	if err != nil {
		return nil, err
	}
	var modules []module
	for name := range strings.Lines(string(names)) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if name != filepath.Base(name) {
			err = errors.New("is not a file name")
		}
		var file *os.File
		if err == nil {
			file, err = os.Open(filepath.Join(dir, name))
		}
		if err != nil {
			return nil, errors.Join(&StepError{"open module " + name, err}, closeModules(modules))
		}
		modules = append(modules, module{name, file})
	}
	return modules, nil
}

// loadModules loads modules in their order, and closes them. One that is loaded already is fine.
func loadModules(modules []module) error {
	for _, module := range modules {
		err := linux.LoadModule(int(module.file.Fd()))
		if err != nil && !errors.Is(err, syscall.EEXIST) {
			return errors.Join(&StepError{"load module " + module.name, err}, closeModules(modules))
		}
	}
	return closeModules(modules)
}

func closeModules(modules []module) error {
	var errs []error
	for _, module := range modules {
		errs = append(errs, module.file.Close())
	}
	return errors.Join(errs...)
}
