package box

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"

	"a3s.dev/box/agent/box/files"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/sandbox"
	"a3s.dev/box/agent/linux"
)

// maxCopies bounds the copies that run at once: each has descriptors and buffers of its own.
const maxCopies = 8

// ErrTooManyCopies is a copy beyond that number.
var ErrTooManyCopies = errors.New("too many copies of files are running already")

// copies has the running file copies, and their view of the box's files.
type copies struct {
	mu      sync.Mutex
	view    *sandbox.View
	running int
	// context ends when the box stops.
	context context.Context
	stop    context.CancelFunc
	all     sync.WaitGroup
	closed  bool
}

func newCopies() *copies {
	ctx, stop := context.WithCancel(context.Background())
	return &copies{context: ctx, stop: stop}
}

// end ends the copies that run, and the view. Readers and writers that the copies wait for have to
// fail when the context ends.
func (c *copies) end() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.all.Wait()
	if c.view == nil {
		return nil
	}
	return c.view.Close()
}

// StatFile describes what a path of the box names.
func (b *Box) StatFile(path string) (stat *files.Stat, err error) {
	err = b.copy(func(_ context.Context, tree files.Tree) (err error) {
		stat, err = tree.Stat(path)
		return err
	})
	return stat, err
}

// ReadFiles writes an archive of what a path of the box names, after `begin` was called with its
// description. The context ends when the box stops.
func (b *Box) ReadFiles(path string, begin func(context.Context, *files.Stat) (io.Writer, error)) error {
	return b.copy(func(ctx context.Context, tree files.Tree) error {
		return tree.Archive(ctx, path, func(stat *files.Stat) (io.Writer, error) { return begin(ctx, stat) })
	})
}

// WriteFiles extracts an archive into a directory of the box. ofUser gives the files to the user of
// the main process.
func (b *Box) WriteFiles(path string, keepKinds, ofUser bool, from func(context.Context) io.Reader) error {
	return b.copy(func(ctx context.Context, tree files.Tree) error {
		options := files.ExtractOptions{KeepKinds: keepKinds}
		if ofUser {
			user, err := b.MainUser()
			if err != nil {
				return err
			}
			options.Owner = &files.Owner{UID: user.UID, GID: user.GID}
		}
		return tree.Extract(ctx, path, options, from(ctx))
	})
}

// copy does some work with the box's files, also while the box is frozen.
func (b *Box) copy(work func(context.Context, files.Tree) error) error {
	if err := b.own(); err != nil {
		return err
	}
	tree, err := b.beginCopy()
	if err != nil {
		return err
	}
	defer b.endCopy()
	err = work(b.copies.context, tree)
	if b.copies.context.Err() != nil {
		return ErrStopping
	}
	return err
}

func (b *Box) beginCopy() (files.Tree, error) {
	c := b.copies
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return files.Tree{}, ErrStopping
	case c.running >= maxCopies:
		return files.Tree{}, ErrTooManyCopies
	}
	if c.view == nil {
		var err error
		if c.view, err = b.sandbox.View(b.spec); err != nil {
			return files.Tree{}, err
		}
	}
	c.running++
	c.all.Add(1)
	return files.Tree{Root: c.view.Root, Run: c.view.Run}, nil
}

func (b *Box) endCopy() {
	c := b.copies
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	c.all.Done()
}

// ExportFiles writes the box's root as an archive, without what is mounted in it.
func (b *Box) ExportFiles(begin func(context.Context) io.Writer) error {
	return b.copy(func(ctx context.Context, _ files.Tree) error {
		bare, err := b.sandbox.Bare()
		if err != nil {
			return err
		}
		defer syscall.Close(bare.FD)
		return files.Tree{Root: bare}.Export(ctx, begin(ctx))
	})
}

// Changes calls a function with each path that differs from the image, after `begin`.
func (b *Box) Changes(begin func(context.Context), emit func(files.Change) error) error {
	return b.compare(func(ctx context.Context, upper, lower rootdir.Root) error {
		begin(ctx)
		return files.Changes(ctx, upper.FD, lower, emit)
	})
}

// Layer writes what differs from the image as a layer of an image.
func (b *Box) Layer(begin func(context.Context) io.Writer) error {
	return b.compare(func(ctx context.Context, upper, lower rootdir.Root) error {
		return files.Layer(ctx, upper.FD, lower, func() io.Writer { return begin(ctx) })
	})
}

// Sync writes out the file system of the box's changes. Those of volumes and shares are not among
// them.
func (b *Box) Sync() error {
	return b.compare(func(_ context.Context, upper, _ rootdir.Root) error {
		fd, err := linux.OpenAt(upper.FD, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0, 0)
		if err != nil {
			return err
		}
		return errors.Join(linux.SyncFilesystem(fd), syscall.Close(fd))
	})
}

// compare does some work with the directory of the box's changes, and with what lies below it.
func (b *Box) compare(work func(ctx context.Context, upper, lower rootdir.Root) error) error {
	return b.copy(func(ctx context.Context, _ files.Tree) error {
		upper, lower, err := b.sandbox.Layers(b.spec.Rootfs.Layers)
		if err != nil {
			return err
		}
		defer syscall.Close(upper.FD)
		defer syscall.Close(lower.FD)
		return work(ctx, upper, lower)
	})
}
