package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// modulesDir lies in the initrd. Its file `order` lists the modules that every box needs, one file
// name per line; `order.nic` and its like those that a use needs besides.
const modulesDir = "/modules"

const orderName = "order"

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

// openUses opens what the lists of all uses name, by their use.
func openUses(dir string) (map[string][]module, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	uses := map[string][]module{}
	for _, entry := range entries {
		use, ok := strings.CutPrefix(entry.Name(), orderName+".")
		if !ok {
			continue
		}
		if uses[use], err = openModules(dir, entry.Name()); err != nil {
			return nil, err
		}
	}
	return uses, nil
}

// loadModules loads modules in their order, and closes them. One that is loaded already is fine,
// and so is one for a processor that is not there: what depends on it does not load either.
func loadModules(modules []module) error {
	for _, module := range modules {
		err := linux.LoadModule(int(module.file.Fd()))
		if err != nil && !errors.Is(err, syscall.EEXIST) && !errors.Is(err, syscall.ENODEV) {
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
