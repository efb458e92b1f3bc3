package box

import "strconv"

// MemoryError is more memory than the guest can give the box.
type MemoryError struct{ Asked, Most int64 }

func (e *MemoryError) Error() string {
	return "the box cannot have " + strconv.FormatInt(e.Asked, 10) + " bytes of memory: its machine was started with enough for " +
		strconv.FormatInt(e.Most, 10)
}

// PutResources holds the box to other limits: all of them, and none but these. Limits of single processes are for those to come. It is
// called by one goroutine at a time.
func (b *Box) PutResources(resources *Resources) error {
	if err := CheckResources(resources, ""); err != nil {
		return err
	}
	started, err := b.present()
	if err != nil {
		return err
	}
	if asked := resources.MemoryBytes; asked != nil {
		most, err := memoryLimit(nil)
		if err != nil {
			return err
		}
		// What it was started with it may have again, though the guest's own share is part of it.
		if started != nil {
			most = max(most, *started)
		}
		if *asked > most {
			return &MemoryError{*asked, most}
		}
	}
	if _, err := b.launcher.cgroup.limit(resources); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ulimits = resources.Ulimits
	return nil
}

// present answers the memory that the box was started with.
func (b *Box) present() (memory *int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return nil, ErrStopping
	case b.asleep:
		return nil, ErrAsleep
	case !b.ready:
		return nil, ErrSpecMissing
	}
	return b.spec.Resources.MemoryBytes, nil
}
