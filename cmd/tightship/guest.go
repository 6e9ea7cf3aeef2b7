package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// guestName is the program that runs inside the containers.
const guestName = "tightship-guest"

// machines are the ELF machines by GOARCH name.
var machines = map[string]elf.Machine{
	"386": elf.EM_386, "amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64,
	"loong64": elf.EM_LOONGARCH, "ppc64le": elf.EM_PPC64, "riscv64": elf.EM_RISCV, "s390x": elf.EM_S390,
}

// findGuest reads the guest for the engine's architecture. It lies beside this
// program, where `make build` puts it, or in ../libexec/tightship, where a
// package does.
func findGuest(arch string) ([]byte, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell where this program is: %w", err)
	}
	dir := filepath.Dir(self)
	return guestIn(arch, dir, filepath.Join(dir, "..", "libexec", "tightship"))
}

func guestIn(arch string, dirs ...string) ([]byte, error) {
	if _, ok := machines[arch]; !ok {
		return nil, withHint(fmt.Errorf("the engine's architecture, %s, is not one we know", arch), "set DOCKER_HOST to an engine on amd64 or arm64")
	}
	var wrong error
	for _, dir := range dirs {
		for _, name := range []string{guestName + "-linux-" + arch, guestName} {
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = runsOn(b, arch)
			}
			if err == nil {
				return b, nil
			}
			wrong = fmt.Errorf("%s: %w", path, cause(err))
		}
	}
	if wrong != nil {
		return nil, withHint(fmt.Errorf("no usable %s for %s: %w", guestName, arch, wrong), "build it with `make build GOARCH=%s`", arch)
	}
	return nil, withHint(fmt.Errorf("%s, the part that runs inside containers, is missing beside this program", guestName), "build it with `make build`, or install tightship from a package that has it")
}

// runsOn checks that b is a Linux program for the architecture that needs no
// dynamic loader: the image under test may have none.
func runsOn(b []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return errors.New("not an ELF program")
	}
	defer f.Close()
	if f.Machine != machines[arch] || arch == "ppc64le" && f.ByteOrder.String() != "LittleEndian" {
		return fmt.Errorf("built for %v", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("not statically linked")
		}
	}
	return nil
}
