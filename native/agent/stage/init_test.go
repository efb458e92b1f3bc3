package stage

import (
	"bytes"
	"debug/elf"
	"testing"
)

func TestTheInitIsASmallProgram(t *testing.T) {
	image := newInitImage()
	if len(image) > 1024 {
		t.Errorf("it has %d bytes", len(image))
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	load, stack := file.Progs[0], file.Progs[1]
	if file.Machine != elf.Machine(elfMachine) || file.Type != elf.ET_EXEC || file.Entry != imageBase+imageCode {
		t.Errorf("got %+v", file.FileHeader)
	}
	if load.Vaddr != imageBase || load.Filesz != uint64(len(image)) || load.Flags != elf.PF_R|elf.PF_X {
		t.Errorf("got %+v", load.ProgHeader)
	}
	if stack.Type != elf.PT_GNU_STACK || stack.Flags != elf.PF_R|elf.PF_W {
		t.Errorf("got %+v", stack.ProgHeader)
	}
}
