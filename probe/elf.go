package probe

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// The program that the probes place and execute to see what executing a file
// gives: about 200 bytes, so that it fits into the smallest tmpfs and costs
// nothing to copy. It says who it became by its exit code alone:
//
//	40  nobody else
//	41  its effective uid is not its real one
//	42  it holds a permitted capability
//	43  both
const (
	exitUnchanged = 40
	exitSetuid    = 1 // added to exitUnchanged
	exitCaps      = 2 // added to exitUnchanged
)

// helperCode is the program, by GOARCH: getuid, geteuid and capget
// (capabilities(7), version 3), then exit.
var helperCode = map[string][]byte{
	"amd64": {
		0xb8, 0x66, 0x00, 0x00, 0x00, // mov   $102, %eax         getuid
		0x0f, 0x05, //                   syscall
		0x89, 0xc3, //                   mov   %eax, %ebx
		0xb8, 0x6b, 0x00, 0x00, 0x00, // mov   $107, %eax         geteuid
		0x0f, 0x05, //                   syscall
		0x31, 0xed, //                   xor   %ebp, %ebp
		0x39, 0xd8, //                   cmp   %ebx, %eax
		0x40, 0x0f, 0x95, 0xc5, //       setne %bpl               bit 0
		0x48, 0x83, 0xec, 0x20, //       sub   $32, %rsp
		0xc7, 0x04, 0x24, 0x22, 0x05, 0x08, 0x20, // movl $0x20080522, (%rsp)  version
		0xc7, 0x44, 0x24, 0x04, 0x00, 0x00, 0x00, 0x00, // movl $0, 4(%rsp)    pid
		0x48, 0x89, 0xe7, //             mov   %rsp, %rdi
		0x48, 0x8d, 0x74, 0x24, 0x08, // lea   8(%rsp), %rsi
		0xb8, 0x7d, 0x00, 0x00, 0x00, // mov   $125, %eax         capget
		0x0f, 0x05, //                   syscall
		0x8b, 0x44, 0x24, 0x0c, //       mov   12(%rsp), %eax     permitted, low
		0x0b, 0x44, 0x24, 0x18, //       or    24(%rsp), %eax     permitted, high
		0x74, 0x03, //                   je    1f
		0x83, 0xcd, 0x02, //             or    $2, %ebp           bit 1
		0x8d, 0x7d, 0x28, //          1: lea   40(%rbp), %edi
		0xb8, 0x3c, 0x00, 0x00, 0x00, // mov   $60, %eax          exit
		0x0f, 0x05, //                   syscall
	},
	"arm64": words(
		0xd28015c8, //    mov  x8, #174           getuid
		0xd4000001, //    svc  #0
		0x2a0003f3, //    mov  w19, w0
		0xd28015e8, //    mov  x8, #175           geteuid
		0xd4000001, //    svc  #0
		0x6b13001f, //    cmp  w0, w19
		0x1a9f07f4, //    cset w20, ne            bit 0
		0xd10083ff, //    sub  sp, sp, #32
		0x5280a441, //    mov  w1, #0x522
		0x72a40101, //    movk w1, #0x2008, lsl 16  version
		0x29007fe1, //    stp  w1, wzr, [sp]
		0x910003e0, //    mov  x0, sp
		0x910023e1, //    add  x1, sp, #8
		0xd2800b48, //    mov  x8, #90            capget
		0xd4000001, //    svc  #0
		0xb9400fe0, //    ldr  w0, [sp, #12]      permitted, low
		0xb9401be1, //    ldr  w1, [sp, #24]      permitted, high
		0x2a010000, //    orr  w0, w0, w1
		0x34000040, //    cbz  w0, 1f
		0x321f0294, //    orr  w20, w20, #2       bit 1
		0x1100a280, // 1: add  w0, w20, #40
		0xd2800ba8, //    mov  x8, #93            exit
		0xd4000001, //    svc  #0
	),
}

func words(all ...uint32) []byte {
	var b []byte
	for _, w := range all {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// HelperELF returns the program as a static ELF executable for a GOARCH.
func HelperELF(arch string) ([]byte, error) {
	code, ok := helperCode[arch]
	if !ok {
		return nil, fmt.Errorf("there is no helper program for %s", arch)
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	const base, headers = 0x400000, 64 + 56 // the file header and one program header
	size := uint64(headers + len(code))
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	p := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000,
	}
	var b bytes.Buffer
	for _, part := range []any{h, p, code} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
